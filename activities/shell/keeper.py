"""The process between a worker and a command: it sees the command, and all it has started, gone.

Started as `python -I -S keeper.py DESCRIPTOR FOLDER`; the descriptor is a socket to the worker,
and stdin, stdout and stderr are the command's. It makes a folder inside FOLDER and says where, is
told what to run, and says how that ended: one line of JSON each. When the worker closes the
socket, or dies, it kills whatever still runs and removes the folder. Nothing of Flowrunner is
loaded here.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_LONGEST_BESIDE = 60


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    place = Path(tempfile.mkdtemp(prefix="flowrunner-", dir=sys.argv[2]))
    (place / "work").mkdir(mode=0o700)
    try:
        _say(channel, {"folder": str(place / "work")})
        if line := channel.makefile("rb").readline():
            _keep(channel, json.loads(line))
    finally:
        _remove(place)


def _keep(channel: socket.socket, plan: dict[str, Any]) -> None:
    """What the command leaves running is ours by then: orphans come to the subreaper."""
    _run(plan["beforehand"], plan["env"])
    _prctl(_SET_CHILD_SUBREAPER, 1)
    started = os.fork()
    if started == 0:
        _become(channel, plan)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    gone = threading.Event()
    watching = threading.Thread(target=_watch, args=(channel, plan, started, gone))
    watching.start()
    _, status = os.waitpid(started, 0)
    gone.set()
    if plan["sweep"]:
        _sweep(started)
    with suppress(OSError):
        _say(channel, {"code": os.waitstatus_to_exitcode(status)})
    watching.join()


def _become(channel: socket.socket, plan: dict[str, Any]) -> NoReturn:
    try:
        os.setsid()
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        os.chdir(plan["folder"])
        for name, most in plan["limits"].items():
            resource.setrlimit(getattr(resource, name), (most, most))
        os.execve(plan["program"], plan["command"], plan["env"])
    except (OSError, ValueError, MemoryError) as error:
        _say(channel, {"error": getattr(error, "strerror", None) or str(error)})
    os._exit(127)


def _watch(
    channel: socket.socket, plan: dict[str, Any], started: int, gone: threading.Event
) -> None:
    """Until the worker has nothing more to do with it."""
    with suppress(OSError):
        while channel.recv(1024):
            pass
    if not gone.is_set():
        with suppress(ProcessLookupError):
            os.killpg(started, signal.SIGKILL)
    gone.wait()
    _run(plan["afterwards"], plan["env"])


def _run(commands: list[list[str]], env: dict[str, str]) -> None:
    for command in commands:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                command,
                env=env,
                timeout=_LONGEST_BESIDE,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )


def _sweep(group: int) -> None:
    """Kills all children, among which are those of processes that have ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for child in _children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if entry.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.append(int(entry.parent.name))
    return found


def _remove(place: Path) -> None:
    """Even where the command has left folders that nobody may look into."""
    for folder, inside, _ in os.walk(place):
        for path in (Path(folder, name) for name in inside):
            if not path.is_symlink():
                with suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _say(channel: socket.socket, what: dict[str, Any]) -> None:
    channel.sendall(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
