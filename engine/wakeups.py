"""Wake-ups: messages through a broker that tell workers which jobs are due.

A wake-up carries a job's id and nothing else. The job's row stays the truth: a wake-up that is lost, late or comes
twice changes nothing but when somebody looks.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
from amqp.exceptions import AccessRefused, AMQPError, NotAllowed
from celery import Celery
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from sqlalchemy import select

from engine.errors import EngineError
from engine.store.tables import ProcessVersion

if TYPE_CHECKING:
    from engine.jobs import Jobs

log = structlog.get_logger("broker")

TASK = "waybill.job"
EXPIRES_SECONDS = 60
"""A wake-up that nobody has read by then is thrown away: the sweeper sends another as long as the job is due."""
MOST_WAITING = 10_000
"""Wake-ups that a queue holds; the oldest go first."""
UNUSED_DAYS = 7
"""After so long without a worker the broker deletes the queue; the next worker makes it again."""
CONNECT_SECONDS = 3
ANSWER_SECONDS = 5
"""How long a broker may take for anything."""
AGAIN_SECONDS = 1.0
"""How long a broker that could not be reached is left alone."""
MOST_HELD_BACK = 1000
"""Wake-ups that wait in this process for being sent."""
_BREAKS: tuple[type[Exception], ...] = (OSError, AMQPError, OperationalError)


class BrokerAway(EngineError):
    """The broker cannot be reached, or does not answer in time. Says why in a line, without its address."""


class BrokerRefuses(BrokerAway):
    """The broker is there and wants another user, password or virtual host. Waiting does not help."""


def queue_name(engine: Jobs) -> str:
    """The queue of this installation, so that others on the same broker have their own.

    Made from what every process of it sees alike, by whatever address it reaches the database: the database's name and
    its first deployed process.
    """
    first = select(ProcessVersion.deployed_at, ProcessVersion.content_hash).order_by(ProcessVersion.id).limit(1)
    with engine.reading() as session:
        deployed_at, content = session.execute(first).tuples().one()
    told = f"{engine.database.url.database} {deployed_at.timestamp():.6f} {content}"
    return f"waybill.{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def celery_app(url: str, name: str) -> Celery:
    """Celery with one task queue and nothing that a wake-up does not need."""
    app = Celery("waybill", broker=url, set_as_current=False, fixups=[])
    queue_ = Queue(name, Exchange(""), routing_key=name, durable=True, message_ttl=EXPIRES_SECONDS,
                   expires=UNUSED_DAYS * 86400, max_length=MOST_WAITING)
    app.conf.update(
        task_queues=[queue_], task_default_queue=name, task_default_exchange="", task_default_routing_key=name,
        task_create_missing_queues=False, task_default_delivery_mode="transient", task_serializer="json",
        accept_content=["json"], task_ignore_result=True, result_backend=None, task_acks_late=True,
        task_reject_on_worker_lost=True, worker_prefetch_multiplier=1, worker_send_task_events=False,
        worker_enable_remote_control=False, worker_detect_quorum_queues=False,
        worker_cancel_long_running_tasks_on_connection_loss=False, worker_enable_prefetch_count_reduction=False,
        broker_connection_retry_on_startup=True, broker_connection_max_retries=None,
        broker_channel_error_retry=True, broker_connection_timeout=CONNECT_SECONDS, broker_heartbeat=10,
        broker_pool_limit=None,
        broker_transport_options={"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS},
    )
    return app


class Line:
    """One connection to the broker for sending, opened when it is first needed. For one thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Any = None

    def send(self, job_ids: Sequence[str]) -> None:
        """Sends a wake-up for each job. BrokerAway."""
        try:
            producer = self._open()
            for job_id in job_ids:
                self._app.send_task(TASK, (job_id,), producer=producer, retry=False, expires=EXPIRES_SECONDS)
        except _BREAKS as error:
            raise self._away(error) from None

    def waiting(self) -> int:
        """How many wake-ups nobody has read yet; makes the queue when it is gone. BrokerAway."""
        try:
            channel = self._open().channel
            found = self._app.amqp.queues[self._app.conf.task_default_queue].bind(channel).queue_declare()
            return int(found.message_count)
        except _BREAKS as error:
            raise self._away(error) from None

    def close(self) -> None:
        """Gives the connection up; the next use opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except _BREAKS as error:
                log.debug("closing", error=repr(error))  # it was broken already

    def _open(self) -> Any:
        if self._producer is None:
            # no heartbeats: nobody would send them while this thread sleeps
            self._connection = self._app.connection_for_write(heartbeat=0)
            self._connection.connect()
            self._producer = self._app.amqp.Producer(self._connection.channel())
        return self._producer

    def check(self) -> None:
        """BrokerRefuses when the broker lets nobody in under the address that is set; one that is away may return."""
        try:
            self.waiting()
        except BrokerRefuses:
            raise
        except BrokerAway as away:
            log.warning("the broker cannot be reached; workers find their jobs by themselves", cause=str(away))

    def _away(self, error: Exception) -> BrokerAway:
        self.close()
        if isinstance(error, AccessRefused | NotAllowed):
            return BrokerRefuses("WAYBILL_BROKER_URL cannot be used: the broker refuses its user, password or virtual "
                                 f"host ({error.reply_text or error}).")
        return BrokerAway(f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}")


class Publisher:
    """Sends wake-ups from a thread of its own, so that no command ever waits for the broker or fails with it.

    What cannot be sent is dropped: the job is due all the same, and the workers' sweepers find it.
    """

    def __init__(self, app: Celery) -> None:
        self._line = Line(app)
        self._held: queue.Queue[Sequence[str] | None] = queue.Queue(MOST_HELD_BACK)
        self._thread = threading.Thread(target=self._loop, name="wake-ups", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """BrokerRefuses; a broker that is only away is waited for."""
        self._line.check()
        self._thread.start()

    def send(self, job_ids: Sequence[str]) -> None:
        """Wakes a worker for each job, soon; never waits."""
        try:
            self._held.put_nowait(tuple(job_ids))
        except queue.Full:
            log.debug("dropped", jobs=len(job_ids))

    def stop(self, timeout: float = 3.0) -> None:
        """Sends what was held back, when the broker takes it in time."""
        self._stopping.set()
        try:
            self._held.put_nowait(None)
        except queue.Full:
            log.debug("stopping while the broker is away")
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _loop(self) -> None:
        reached = True
        while True:
            job_ids = self._held.get()
            if job_ids is None:
                break
            try:
                self._send(job_ids)
                reached = True
            except BrokerAway as away:
                if reached:
                    log.warning("the broker cannot be reached; workers find their jobs by themselves", cause=str(away))
                reached = False
                if self._stopping.wait(AGAIN_SECONDS):
                    break
        self._line.close()

    def _send(self, job_ids: Sequence[str]) -> None:
        """Once more on a fresh connection: the old one may have broken long ago, unnoticed."""
        try:
            self._line.send(job_ids)
        except BrokerAway:
            self._line.send(job_ids)
