"""What a worker does beside jobs: looks once a minute whether something is due that belongs to no order."""

from __future__ import annotations

import time

import structlog

from engine.seals import Seals

log = structlog.get_logger("worker")
EVERY_SECONDS = 60.0


class Housekeeping:
    """One of these per worker process; its threads may share it."""

    def __init__(self, engine: Seals) -> None:
        self._engine = engine
        self._next = time.monotonic()

    def look(self) -> None:
        """Does what is due, at most once a minute. What goes wrong is the caller's, who tries again a minute later."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        made = self._engine.seal_if_due()
        if made is not None:
            log.info("sealed", number=made.number, hash=made.hash)
