"""The embedded worker: threads of this process that run due jobs until they are told to stop."""

from __future__ import annotations

import threading
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.jobs import Jobs

log = structlog.get_logger("worker")
IDLE_SECONDS = 0.5
"""How long an idle thread waits before it looks again; a commit that leaves work wakes it at once."""


class Worker:
    """Runs jobs in `threads` threads. `stop` lets what is running finish."""

    def __init__(self, engine: Jobs, *, threads: int = 4) -> None:
        self._engine = engine
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._beats: dict[int, float] = {}
        self._threads = [
            threading.Thread(target=self._loop, args=(n,), name=f"worker-{n}", daemon=True) for n in range(threads)
        ]

    def start(self) -> None:
        self._engine.on_wakeup = self._wake.set
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 25.0) -> None:
        """Takes no new job, waits for the running ones."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)

    def alive(self) -> bool:
        """Whether a thread has looked for work within the last seconds."""
        return any(time.monotonic() - beat < 30 for beat in self._beats.values())

    def _loop(self, number: int) -> None:
        while not self._stopping.is_set():
            self._beats[number] = time.monotonic()
            try:
                if self._engine.work(limit=1):
                    continue
            except SQLAlchemyError as error:
                log.error("database", error=str(error).splitlines()[0])  # noqa: TRY400 - one line; it may come every 2 s
                self._stopping.wait(2)
            except Exception:
                log.exception("worker")
                self._stopping.wait(2)
            self._wake.wait(IDLE_SECONDS)
            self._wake.clear()
