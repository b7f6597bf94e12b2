"""Where the program may be struck: named points that it passes, in the words of what it is doing then.

`F1` to `F6` are the kill points of the fault matrix; the others lie between them. A point is passed by the
wrappers in `program.py`, and by nothing in the product.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

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
MIGRATING = "migration: statement"

KILL_POINTS = (F1, F2, F3, F4, F5, F6, MARKING, RINGING, RUNG)
"""Those that a run of kills goes through, with moments chosen by chance beside them."""


def of_kind(point: str, kind: str) -> str:
    """A point of sending, passed with one kind of message only."""
    return f"{point}, {kind}"


POINT, NTH, SIGNAL = "SURVIVAL_POINT", "SURVIVAL_NTH", "SURVIVAL_SIGNAL"


class Quiet:
    """The transactions of this process: how many are open, and a way to let no other one begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: Counter[int] = Counter()
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One of them, in the calling thread."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: not self._closed or self._open[me] > 0)
            self._open[me] += 1
        try:
            yield
        finally:
            with self._changed:
                self._open[me] -= 1
                self._changed.notify_all()

    @contextmanager
    def of_others(self) -> Iterator[None]:
        """No thread but this one is within a transaction."""
        me = threading.get_ident()
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not any(self._open[each] for each in self._open if each != me))
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class Fate:
    """What happens to this process: at the n-th passage of one point it gets a signal from itself.

    One that is frozen holds nothing in the store but what the passing thread itself holds there: a file that
    is locked by a frozen process is another story than the one that a test tells.
    """

    def __init__(self) -> None:
        self._point = os.environ.get(POINT)
        self._nth = int(os.environ.get(NTH, "1"))
        self._signal = signal.Signals[os.environ.get(SIGNAL, "SIGKILL")]
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.quiet = Quiet()

    def passes(self, point: str) -> None:
        """Pass a point; with SIGKILL this does not return, with SIGSTOP it does when somebody says SIGCONT."""
        if point != self._point:
            return
        with self._lock:
            self._passed[point] += 1
            struck = self._passed[point] == self._nth
        if struck and self._signal == signal.SIGSTOP:
            with self.quiet.of_others():
                # To this thread, which then stops here; to the process, others would stop first.
                signal.pthread_kill(threading.get_ident(), self._signal)
        elif struck:
            os.kill(os.getpid(), self._signal)
