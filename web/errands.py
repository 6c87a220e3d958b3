"""What is done after the answer has left, so that nobody learns from its time what was done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

log = structlog.get_logger("errands")


class Errands:
    """One thread that does one thing after the other. A process that stops finishes what was asked of it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="errands")

    def run(self, what: str, errand: Callable[[], None]) -> None:
        """Does it soon. What goes wrong is logged under `what`: nobody waits for it."""
        self._thread.submit(errand).add_done_callback(lambda done: _tell(what, done))

    def wait(self) -> None:
        """Waits until everything that was asked so far is done."""
        self._thread.submit(lambda: None).result()


def _tell(what: str, done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        log.error("an errand failed", errand=what, exc_info=error)
