"""A real container engine for tests: Podman with a store of its own, and an image of BusyBox.

`scripts/podman.sh` installs it where it may. Where it cannot run, tests that need it are skipped,
and say why.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import pytest

__all__ = ["IMAGE", "make_engine"]

IMAGE: Final = "localhost/flowrunner-test:1"

_ENGINE = """\
#!/bin/sh
export CONTAINERS_CONF={folder}/containers.conf
exec podman --root {folder}/store --runroot {run} --storage-driver vfs \\
    --cgroup-manager cgroupfs --runtime runc "$@"
"""
_SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""
_COMMANDS = "cat echo env head id ls sha256sum sh sleep touch true wc yes"


def make_engine(folder: Path) -> Path:
    """The command of an engine that has the image; skips the test if none can run here."""
    busybox = shutil.which("busybox")
    if busybox is None or shutil.which("podman") is None or shutil.which("runc") is None:
        pytest.skip("podman, runc and busybox are not all here: see scripts/podman.sh")
    (folder / "containers.conf").write_text(_SETTINGS)
    run = tempfile.mkdtemp(prefix="podman-")  # of at most 50 characters
    atexit.register(shutil.rmtree, run, ignore_errors=True)
    engine = folder / "engine"
    engine.write_text(_ENGINE.format(folder=folder, run=run))
    engine.chmod(0o700)
    archive = folder / "image.tar"
    with tarfile.open(archive, "w") as image:
        image.add(Path(busybox).resolve(), "bin/busybox")
        for name in _COMMANDS.split():
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            image.addfile(link)
        for name in ("tmp", "work", "proc", "sys", "dev", "etc"):
            place = tarfile.TarInfo(name)
            place.type, place.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            image.addfile(place)
    for arguments in (
        ("import", str(archive), IMAGE),
        ("run", "--rm", "--network=none", IMAGE, "true"),
    ):
        command = [str(engine), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            pytest.skip(f"no container runs here: {done.stderr.strip()[-300:]}")
    return engine
