"""What a worker does beside jobs: looks once a minute whether something is due that belongs to no order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from engine import Engine

log = structlog.get_logger("worker")
EVERY_SECONDS = 60.0


class Housekeeping:
    """One of these per worker process; its threads may share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next = time.monotonic()

    def look(self) -> None:
        """Does what is due, at most once a minute. What goes wrong is the caller's, who tries again a minute later."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        released = self._engine.release_forgotten()
        if released:
            log.info("released tasks that nobody worked on", number=released)
        released = self._engine.release_absent()
        if released:
            log.info("released tasks of people who are away", number=released)
        made = self._engine.seal_if_due()
        if made is not None:
            log.info("sealed", number=made.number, hash=made.hash)
