"""Jobs per second with 1, 2 and 4 worker processes on PostgreSQL, and how near the most of them come to the best.

Real orders on the shipped diagram. People and outside companies answer everything at once, between the stages and
outside of the measured time; what is measured is how long the workers then take to empty the queue: claim, perform with
papers, mails, payments and couriers, finish, and the steps that follow by themselves.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table
from sqlalchemy import create_engine, func, make_url, or_, select, text
from sqlalchemy.exc import OperationalError

import app
import migrations
from engine.store.database import Database
from engine.store.tables import Job
from settings import load
from tests.clock import MovableClock
from tests.conftest import NO_POSTGRES, POSTGRES
from tests.scenarios.shop import ORDER, PEOPLE, OrderHandle, Shop

WORKERS = (1, 2, 4)
ORDERS = 16
"""Orders that go through the shop together, in one run."""
RUNS = 3
"""Runs of each number of workers, in turns; the median counts."""
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAUSE = 0.002
"""Seconds that a worker waits when others hold what is left."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one number of workers managed."""

    workers: int
    jobs: int
    """Jobs of one run."""
    seconds: float
    """Median of the runs."""
    cpu_ms: float
    """CPU of the worker processes for one job, looking for work included, without the database's own. It hardly depends
    on what else the machine does: when it grows with the workers, they are in each other's way."""

    @property
    def per_second(self) -> float:
        return self.jobs / self.seconds


def measure() -> list[Rate] | str:
    """The rates, or why there are none."""
    with own_database() as url:
        if url is None:
            return NO_POSTGRES
        with TemporaryDirectory(prefix="waybill-bench-") as folder, _crew(url, Path(folder)) as crew:
            crew.run(max(WORKERS), orders=4)  # every process has parsed the diagram and opened its connections
            runs: dict[int, list[_Run]] = {workers: [] for workers in WORKERS}
            for _ in range(RUNS):
                for workers in WORKERS:
                    runs[workers].append(crew.run(workers, orders=ORDERS))
    return [
        Rate(workers, round(statistics.median(run.jobs for run in found)),
             statistics.median(run.seconds for run in found),
             statistics.median(run.cpu_seconds * 1000 / run.jobs for run in found))
        for workers, found in runs.items()
    ]


def table(rates: list[Rate]) -> Table:
    """The rates as they are printed."""
    printed = Table(title=f"Worker processes on PostgreSQL: {ORDERS} orders together (median of {RUNS} runs, in turns)")
    for heading in ("workers", "jobs", "seconds", "jobs a second", "orders a second", "CPU ms a job", "to the best"):
        printed.add_column(heading, justify="right")
    best = max(rate.per_second for rate in rates)
    for rate in rates:
        printed.add_row(
            str(rate.workers), f"{rate.jobs:,}", f"{rate.seconds:.2f}", f"{rate.per_second:.0f}",
            f"{ORDERS / rate.seconds:.1f}", f"{rate.cpu_ms:.0f}", f"{rate.per_second / best:.2f}",
        )  # fmt: skip
    return printed


@dataclass(slots=True)
class _Run:
    """What the workers did so far in one run."""

    jobs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class _Crew:
    """The worker processes, and the shop whose people keep them busy."""

    def __init__(self, shop: Shop, lines: list[Connection]) -> None:
        self._shop, self._lines = shop, lines
        shop.works = lambda: None  # type: ignore[method-assign]  # the crew does, when it is told
        self._orders = 0

    def run(self, workers: int, *, orders: int) -> _Run:
        """Takes orders from received to prepared for next, and tells what that was for the workers."""
        placed, run = [self._place() for _ in range(orders)], _Run()
        for _ in range(40):
            self._empty_the_queue(workers, run)
            waiting = [order for order in placed if order.status == "open"]
            if not waiting:
                return run
            for order in waiting:
                order.usual()
        raise AssertionError(f"Orders do not end: {[order.where() for order in placed]}")

    def _place(self) -> OrderHandle:
        self._orders += 1
        number = f"BENCH-{self._orders}"
        self._shop.engine.start("order_fulfillment", number, PEOPLE["sales"], submit=ORDER,
                                variables={"intake": {"source": "api"}})
        return OrderHandle(self._shop, number)

    def _empty_the_queue(self, workers: int, run: _Run) -> None:
        """The time counts from the word until the last job is done."""
        lines, began = self._lines[:workers], time.monotonic()
        for line in lines:
            line.send("work")
        answers: list[tuple[int, float, float]] = [line.recv() for line in lines]
        run.jobs += sum(done for done, _, _ in answers)
        run.seconds += max(0.0, max(ended for _, ended, _ in answers) - began)
        run.cpu_seconds += sum(cpu for _, _, cpu in answers)


def _work(url: str, var: Path, line: Connection) -> None:
    """One worker process: at each word it works until nothing is due and nobody holds anything."""
    parts = _parts(url, var)
    line.send("ready")
    while line.recv() == "work":
        done, ended, cpu = 0, 0.0, time.process_time()
        while True:
            if now := parts.engine.work():
                done, ended = done + now, time.monotonic()
            elif _left(parts):
                time.sleep(PAUSE)
            else:
                break
        line.send((done, ended, time.process_time() - cpu))
    parts.database.dispose()


def _left(parts: app.Parts) -> bool:
    due = or_(Job.state == "leased", (Job.state == "ready") & (Job.run_at <= parts.engine.clock.now()))
    with parts.engine.reading() as session:
        return bool(session.execute(select(func.count()).select_from(Job).where(due)).scalar_one())


def _parts(url: str, var: Path) -> app.Parts:
    return app.build(load(var=var, demo=True, database_url=url), clock=MovableClock(NOON))


@contextmanager
def _crew(url: str, folder: Path) -> Iterator[_Crew]:
    parts = _parts(url, folder)
    app.prepare(parts)
    shop = Shop(parts, MovableClock(NOON))
    for sku in ("product-a", "product-c"):  # what `ORDER` takes
        shop.has(sku, 1_000_000)
    processes, context = [], get_context("spawn")
    lines: list[Connection] = []
    try:
        for _ in range(max(WORKERS)):
            ours, theirs = context.Pipe()
            process: Any = context.Process(target=_work, args=(url, folder, theirs), daemon=True)
            process.start()
            processes.append(process)
            lines.append(ours)
        for ours in lines:
            ours.recv()
        yield _Crew(shop, lines)
    finally:
        for ours in lines:
            ours.send("stop")
        for process in processes:
            process.join(10)
        parts.database.dispose()


@contextmanager
def own_database() -> Iterator[str | None]:
    """A PostgreSQL database with every table, dropped at the end; None when no PostgreSQL answers."""
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"waybill_bench_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        yield None
        return
    url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    try:
        database = Database(url)
        migrations.upgrade(database)
        database.dispose()
        yield url
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()
