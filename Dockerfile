# The Flowrunner worker and command; the Temporal server is an image of its own.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/flowrunner
WORKDIR /src
COPY requirements/constraints.txt requirements/
COPY pyproject.toml README.md LICENSE flowrunner.py worker.py worker_settings.py ./
COPY flowspec flowspec
COPY simulator simulator
COPY workflows workflows
COPY activities activities
COPY claimcheck claimcheck
COPY vault vault
COPY service service
RUN /opt/flowrunner/bin/pip install --constraint requirements/constraints.txt '.[all]'

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="flowrunner" \
      org.opencontainers.image.description="Run YAML workflows on Temporal" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin flowrunner && \
    install --directory --owner flowrunner --mode 700 /spool
COPY --from=build /opt/flowrunner /opt/flowrunner
ENV PATH=/opt/flowrunner/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/spool \
    FLOWS_DIR=/flows \
    FLOWRUNNER_LOG_FORMAT=json \
    FLOWRUNNER_HEALTH_ADDRESS=0.0.0.0:8081
# Large values rest in /spool on their way to the store: on disk, where /tmp may be memory.
VOLUME /flows /spool
EXPOSE 8081
USER 10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/health', timeout=2)"]
ENTRYPOINT ["flowrunner"]
CMD ["worker"]
