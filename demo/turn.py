"""One world at a time: of all processes that could play the bank, the couriers and the customers, one does."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turn:
    """Whose turn it is to play the world outside. A process that dies loses its turn at once.

    Two worlds that played at once would deliver the same missing goods twice.
    """

    def __init__(self, path: Path) -> None:
        """`path` is a file in the data folder; it is made, and stays empty."""
        self._path = path

    @contextmanager
    def taken(self, *, wait: bool = False) -> Iterator[bool]:
        """Holds the turn during the block. False when another has it; with `wait`, the other's end is awaited."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            yield _locked(file, wait=wait)
        finally:
            os.close(file)  # gives the turn back


def _locked(file: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
