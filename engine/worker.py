"""The embedded worker: threads of this process that run due jobs until they are told to stop."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from engine.errors import DatabaseTrouble
from engine.housekeeping import Housekeeping

if TYPE_CHECKING:
    from engine import Engine

log = structlog.get_logger("worker")
TROUBLE_SECONDS = 5
"""The longest wait before a database that had trouble is asked again."""
IDLE_SECONDS = 0.5
"""How long an idle thread waits before it looks again; a commit that leaves work wakes it at once."""


class Worker:
    """Runs jobs in `threads` threads. `stop` lets what is running finish."""

    def __init__(self, engine: Engine, *, threads: int = 4) -> None:
        self._engine = engine
        self._housekeeping = Housekeeping(engine)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._beats: dict[int, float] = {}
        self._threads = [
            threading.Thread(target=self._loop, args=(n,), name=f"worker-{n}", daemon=True) for n in range(threads)
        ]

    def start(self) -> None:
        self._engine.on_wakeup = lambda _ids: self._wake.set()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 25.0) -> None:
        """Takes no new job, waits for the running ones; for all of them together `timeout` seconds."""
        self._stopping.set()
        self._wake.set()
        limit = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, limit - time.monotonic()))

    def alive(self) -> bool:
        """Whether a thread has looked for work within the last seconds."""
        return any(time.monotonic() - beat < 30 for beat in self._beats.values())

    def _loop(self, number: int) -> None:
        while not self._stopping.is_set():
            self._beats[number] = time.monotonic()
            try:
                self._housekeeping.look()
                if self._engine.work(limit=1):
                    continue
            except DatabaseTrouble as trouble:
                # one line, as often as the database is asked again: it is no fault of the worker's
                log.error("database", trouble=trouble.sentence, cause=trouble.cause)  # noqa: TRY400
                self._stopping.wait(min(trouble.retry_after, TROUBLE_SECONDS))
            except Exception:
                log.exception("worker")
                self._stopping.wait(2)
            self._wake.wait(IDLE_SECONDS)
            self._wake.clear()
