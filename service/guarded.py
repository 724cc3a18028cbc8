"""Programs that do not outlive whoever started them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["guarded"]

# A program of its own, for code between fork and exec is not safe in a process with threads.
_GUARD = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[1]))
if os.getppid() == int(sys.argv[2]):
    os.execv(sys.argv[3], sys.argv[3:])
"""


def guarded(command: Sequence[str], number: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command line for a program that gets the signal when this process is gone, also when it
    was killed and could stop nothing.

    The program is an absolute path; start it from the main thread, for the end of the thread that
    starts it counts. Only Linux can do this; elsewhere it is the command itself.
    """
    if sys.platform != "linux":
        return list(command)
    guard = [sys.executable, "-I", "-S", "-c", _GUARD]
    return [*guard, str(int(number)), str(os.getpid()), *command]
