"""Workers on several machines: each takes wake-ups from a broker through Celery, and sweeps for what those missed."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from amqp.exceptions import RecoverableConnectionError
from celery import Celery, bootsteps
from celery.worker import WorkController
from celery.worker import state as celery_state

from engine.errors import DatabaseTrouble
from engine.housekeeping import Housekeeping
from engine.wakeups import TASK, BrokerAway, Line, Publisher, celery_app, queue_name

if TYPE_CHECKING:
    from engine import Engine

log = structlog.get_logger("worker")

SWEEP_SECONDS = 1.0
"""How often each worker looks for jobs whose wake-up is missing."""
FRESH = timedelta(seconds=1)
"""A job that fell due only now has its wake-up under way; later it is lost or was never sent (a timer)."""
REMEMBERED_SECONDS = 15.0
"""A job that was sent is not sent again within this time, unless the queue has run empty meanwhile."""
MOST_AT_ONCE = 200
"""Wake-ups of one sweep; with more than these waiting, workers have enough to do."""
DEAF_SECONDS = 5.0
"""So long wake-ups may wait while this worker has nothing to do and hears of none; then it connects anew."""
TROUBLE_SECONDS = 2.0
ALIVE_SECONDS = 30.0


class CeleryWorker:
    """Runs jobs in `threads` threads as their wake-ups arrive. `stop` lets what is running finish.

    Same face as `engine.worker.Worker`. Celery keeps its wish to stop in one place of the process: start one at a time.
    """

    def __init__(self, engine: Engine, broker_url: str, *, threads: int = 4) -> None:
        self._engine, self._threads = engine, threads
        self._app = celery_app(broker_url, queue_name(engine))
        self._app.task(name=TASK, shared=False)(self._work)
        self._ear = Ear()
        self._app.steps["consumer"].add(_tells(self._ear))
        self._stopping = threading.Event()
        self._publisher = Publisher(self._app)
        self._consumer = threading.Thread(target=self._consume, name="celery", daemon=True)
        self._sweeper = Sweeper(engine, self._app, self._ear, self._stopping)

    def start(self) -> None:
        self._engine.on_wakeup = self._publisher.send
        _one_line_each()
        celery_state.should_stop = None
        self._app.set_default()  # Celery's threads look a task up in the default of the process
        self._publisher.start()
        self._consumer.start()
        self._sweeper.start()

    def stop(self, timeout: float = 25.0) -> None:
        """Takes no new job, waits for the running ones."""
        self._stopping.set()
        celery_state.should_stop = 0  # Celery's own loop sees it within a second and stops warmly
        for thread in (self._consumer, self._sweeper):
            if thread.is_alive():
                thread.join(timeout)
        self._publisher.stop()

    def alive(self) -> bool:
        """Whether this worker has looked for work within the last seconds."""
        return self._sweeper.is_alive() and time.monotonic() - self._sweeper.looked_at < ALIVE_SECONDS

    def _work(self, job_id: str) -> None:
        """What a wake-up does. A job that is done, or held by another worker, needs nothing more."""
        try:
            with self._ear.busy():
                claim = self._engine.claim_job(job_id)
                if claim is not None:
                    self._engine.run_job(claim)
        except DatabaseTrouble as trouble:
            # the sweeper sends it again when the database answers
            log.error("database", trouble=trouble.sentence, cause=trouble.cause)  # noqa: TRY400

    def _consume(self) -> None:
        """Celery's loop, which waits for a broker that is away; begun again should it ever end by itself."""
        while not self._stopping.is_set():
            try:
                self._controller().start()
            except Exception:
                log.exception("worker")
            self._ear.reading.clear()
            self._stopping.wait(TROUBLE_SECONDS)

    def _controller(self) -> Any:
        controller = WorkController(
            app=self._app, concurrency=self._threads, pool_cls="threads", without_heartbeat=True, without_mingle=True,
            without_gossip=True, task_events=False,
        )
        controller.timer.call_repeatedly(1.0, self._ear.check)  # its loop looks up once a second at least
        return controller


class Ear:
    """What this worker hears of wake-ups."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        """Set while the connection stands and the queue is read, as far as Celery knows."""
        self._lock = threading.Lock()
        self._busy = 0
        self._heard_at = 0.0
        self._deaf = threading.Event()

    def opened(self) -> None:
        """From now on wake-ups arrive."""
        self._heard_at = time.monotonic()
        self._deaf.clear()
        self.reading.set()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A wake-up has arrived and is worked on."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._heard_at = time.monotonic()

    def while_waiting(self) -> None:
        """Wake-ups wait. When this worker is idle all the same, its consumer has been lost without a word.

        A queue that is deleted just as a consumer begins to read it does that: Celery overlooks the notice.
        """
        with self._lock:
            if self._busy == 0 and time.monotonic() - self._heard_at > DEAF_SECONDS:
                self._deaf.set()

    def check(self) -> None:
        """Called in Celery's loop: RecoverableConnectionError, upon which it connects anew."""
        if self._deaf.is_set():
            self._deaf.clear()
            raise RecoverableConnectionError("wake-ups wait and none arrives")


class _OneLine(logging.Handler):
    """Celery's own words: a line each, without the tracebacks of a connection that broke."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("celery", said=(record.getMessage().splitlines() or [""])[0])


def _one_line_each() -> None:
    for name in ("celery", "kombu", "amqp"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.handlers, logger.propagate = [_OneLine()], False


def _tells(ear: Ear) -> type[bootsteps.StartStopStep]:
    """A part of Celery's consumer that says whether the connection stands and the queue is read."""

    class Tells(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, _consumer: Any) -> None:
            ear.opened()

        def stop(self, _consumer: Any) -> None:
            ear.reading.clear()

        shutdown = stop

    return Tells


class Sweeper(threading.Thread):
    """Sends wake-ups for due jobs that have none: timers, lost ones, those of dead workers.

    While the broker is away it works on due jobs itself, so that the house is slow and does not stand still.
    """

    def __init__(self, engine: Engine, app: Celery, ear: Ear, stopping: threading.Event) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._engine, self._line, self._ear, self._stopping = engine, Line(app), ear, stopping
        self._housekeeping = Housekeeping(engine)
        self._sent: dict[str, float] = {}
        self.looked_at = time.monotonic()

    def run(self) -> None:
        while not self._stopping.is_set():
            self.looked_at = time.monotonic()
            self._guarded(self._housekeeping.look)
            if not self._guarded(self.sweep):
                self._stopping.wait(SWEEP_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311 - so that not all look at once
        self._line.close()

    def _guarded(self, work: Callable[[], int | None]) -> int:
        try:
            return work() or 0
        except DatabaseTrouble as trouble:
            log.error("database", trouble=trouble.sentence, cause=trouble.cause)  # noqa: TRY400 - one line, again and again
        except Exception:
            log.exception("sweeper")
        self._stopping.wait(TROUBLE_SECONDS)
        return 0

    def sweep(self) -> int:
        """One look; returns how many jobs it has worked on itself, because the broker is away."""
        if not self._ear.reading.is_set():
            return self._engine.work(limit=1)
        due = self._engine.overdue(FRESH, limit=MOST_AT_ONCE)
        orphaned = self._engine.orphaned(limit=MOST_AT_ONCE)
        try:
            if due or orphaned:
                self._send(due, orphaned)
        except BrokerAway:
            return self._engine.work(limit=1)
        return 0

    def _send(self, due: list[str], orphaned: list[str]) -> None:
        waiting = self._line.waiting()
        if waiting:
            self._ear.while_waiting()
        now = time.monotonic()
        # nothing waits in the queue: whatever was sent has been read, or was lost
        known = {} if waiting == 0 else {id_: at for id_, at in self._sent.items() if now - at < REMEMBERED_SECONDS}
        wanted = orphaned if waiting > MOST_AT_ONCE else orphaned + due
        missing = [job_id for job_id in wanted if job_id not in known]
        self._line.send(missing)
        self._sent = known | dict.fromkeys(missing, now)
