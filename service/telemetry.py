"""What Temporal's core tells of itself: its log through ours, its metrics to Prometheus."""

from __future__ import annotations

import logging

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from service.settings import Address, SettingsInvalid

__all__ = ["quiet_runtime", "telemetry_runtime"]


def telemetry_runtime(metrics: Address | None) -> Runtime:
    """The runtime for a client; raises `SettingsInvalid` if nothing can listen at `metrics`."""
    telemetry = TelemetryConfig(
        logging=LoggingConfig(
            filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
            forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
        ),
        metrics=PrometheusConfig(bind_address=str(metrics), durations_as_seconds=True)
        if metrics
        else None,
    )
    try:
        return Runtime(telemetry=telemetry)
    except (RuntimeError, ValueError) as error:
        problem = (
            f"FLOWRUNNER_METRICS_ADDRESS: {metrics} cannot be listened on ({error}); expected an "
            "IP address and a free port, for example 127.0.0.1:9090"
        )
        raise SettingsInvalid((problem,)) from error


def quiet_runtime() -> Runtime:
    """The runtime for a command: the SDK would log its retries, and what comes of them is told by
    the command."""
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=quiet))
