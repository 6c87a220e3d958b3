"""The demo's time: the machine's clock and an offset that every process of an installation shares."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_SIZE = 8
_MICROSECOND = timedelta(microseconds=1)


class JumpingClock(Protocol):
    """A clock that can be moved ahead."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        ...

    def jump_to(self, at: datetime) -> None:
        """Moves ahead to `at`; never back."""
        ...


class DemoClock:
    """Goes as fast as the machine's clock, and is ahead of it by what the demo has jumped so far.

    The offset lies in a file as one number of microseconds, mapped into memory: a jump of one process is seen by all
    others at once, and reading the time costs no call of the system. An aligned number of eight bytes is read and
    written in one piece, so nobody sees half a jump.
    """

    def __init__(self, path: Path) -> None:
        """`path` is made, without an offset, when it is not there yet. OSError when it cannot be."""
        self._path = path
        with self._locked() as file:
            if os.fstat(file).st_size < _SIZE:
                os.ftruncate(file, _SIZE)
            self._offset = memoryview(mmap.mmap(file, _SIZE)).cast("q")

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(microseconds=self._offset[0])

    def jump_to(self, at: datetime) -> None:
        with self._locked():  # two that jump at once: the one that jumps further wins
            ahead = (at - self.now()) // _MICROSECOND
            if ahead > 0:
                self._offset[0] += ahead

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, held by nobody else meanwhile; the system lets go of it when the process dies."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: the mapping keeps the file open, and its lock
            os.close(file)
