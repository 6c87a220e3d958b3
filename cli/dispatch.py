"""Who runs the jobs: threads that look for themselves, or workers woken through a broker. Chosen here alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from app import Parts
from engine import Worker


class Dispatcher(Protocol):
    """Runs due jobs in the background."""

    def start(self) -> None:
        """Begins to work."""

    def stop(self) -> None:
        """Takes no new job, waits for the running ones."""

    def alive(self) -> bool:
        """Whether it has looked for work within the last seconds."""
        ...


def dispatcher(parts: Parts) -> Dispatcher:
    """The worker of this process. BrokerRefuses."""
    settings = parts.settings
    if not settings.broker_url:
        return Worker(parts.engine, threads=settings.worker_threads)
    from engine.distributed import CeleryWorker

    return CeleryWorker(parts.engine, settings.broker_url, threads=settings.worker_threads)


@contextmanager
def waking(parts: Parts) -> Iterator[None]:
    """Lets the commands of a process without a worker wake those of others. BrokerRefuses."""
    if not parts.settings.broker_url:
        yield
        return
    from engine.wakeups import Publisher, celery_app, queue_name

    publisher = Publisher(celery_app(parts.settings.broker_url, queue_name(parts.engine)))
    publisher.start()
    parts.engine.on_wakeup = publisher.send
    try:
        yield
    finally:
        publisher.stop()
