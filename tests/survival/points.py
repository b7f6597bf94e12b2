"""Where the program may be struck: named points that it passes, in the words of what it is doing then.

`F1` to `F6` are the kill points of the fault matrix; the others lie between them. A point is passed by the
wrappers in `program.py`, and by nothing in the product.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import suppress

F1 = "command: before the commit"
F2 = "command: committed"
F3 = "answer: given"
F4 = "claim: committed"
F5 = "send: arrived"
F6 = "checkpoint: written"
SENDING = "send: begun"
MARKING = "mark: before the commit"
MARKED = "mark: committed"
RINGING = "due: before the commit"
RUNG = "due: committed"
SIGNING = "checkpoint: before the commit"

KILL_POINTS = (F1, F2, F3, F4, F5, F6, MARKING, RINGING, RUNG)
"""Those that a run of kills goes through, with moments chosen by chance beside them."""


def of_kind(point: str, kind: str) -> str:
    """A point of sending, passed with one kind of message only."""
    return f"{point}, {kind}"


POINT, NTH, SIGNAL = "SURVIVAL_POINT", "SURVIVAL_NTH", "SURVIVAL_SIGNAL"


class Fate:
    """What happens to this process: at the n-th passage of one point it gets a signal from itself."""

    def __init__(self) -> None:
        self._point = os.environ.get(POINT)
        self._nth = int(os.environ.get(NTH, "1"))
        self._signal = signal.Signals[os.environ.get(SIGNAL, "SIGKILL")]
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def passes(self, point: str) -> None:
        """Pass a point; with SIGKILL this does not return, with SIGSTOP it does when somebody says SIGCONT."""
        if point != self._point:
            return
        with self._lock:
            self._passed[point] += 1
            struck = self._passed[point] == self._nth
        if struck:
            with suppress(ProcessLookupError):
                os.kill(os.getpid(), self._signal)
