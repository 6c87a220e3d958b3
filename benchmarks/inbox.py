"""The inbox with a hundred thousand open tasks: how long its pages take, on SQLite and on PostgreSQL.

Real orders stand in front, so that a task can be opened; the many are rows of their own with customers and goods. Times
are by the clock on the wall, of a whole answer of the web server's code: session, counts, list, and the drawn page.
"""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask.testing import FlaskClient
from rich.table import Table
from sqlalchemy import insert, select, text

import app
from benchmarks.throughput import own_database
from engine.store.tables import Instance, Task
from handlers import tables as goods
from handlers.order_words import words_of_order
from settings import load
from tests.clock import MovableClock
from tests.scenarios.shop import Shop

TASKS = 100_000
TIMES = 15
AT_MOST_MS = 50
TEAMS = ("sales", "warehouse", "finance", "shipping")
STEPS = {"sales": ("correct_details", 2), "warehouse": ("prepare_shipment", 9), "finance": ("resolve_payment", 7),
         "shipping": ("confirm_pickup", 13)}


@dataclass(frozen=True, slots=True)
class Took:
    """One page on one kind of database."""

    database: str
    page: str
    median: float
    slowest: float
    """Milliseconds."""


def measure() -> list[Took]:
    """The times on each kind of database; on PostgreSQL where one answers."""
    found: list[Took] = []
    with TemporaryDirectory(prefix="waybill-bench-") as folder:
        found += _measured("SQLite", Path(folder), "")
    with own_database() as url, TemporaryDirectory(prefix="waybill-bench-") as folder:
        if url is not None:
            found += _measured("PostgreSQL", Path(folder), url)
    return found


def table(found: list[Took]) -> Table:
    """For people."""
    printed = Table(title=f"The inbox with {TASKS:,} open tasks (median of {TIMES}, at most {AT_MOST_MS} ms)")
    for heading in ("database", "page", "ms", "slowest"):
        printed.add_column(heading, justify="right" if heading in ("ms", "slowest") else "left")
    for one in found:
        printed.add_row(one.database, one.page, f"{one.median:.1f}", f"{one.slowest:.1f}")
    return printed


def _measured(database: str, folder: Path, url: str) -> Iterator[Took]:
    with _filled(folder, url) as (flask, task):
        people = {name: _signed_in(flask, name) for name in ("warehouse", "owner")}
        second = _address_of_more(people["warehouse"])
        for page, who, address in (
            ("the inbox, one team", "warehouse", "/inbox"), ("the inbox, every team", "owner", "/inbox"),
            ("mine", "warehouse", "/inbox?view=mine"), ("late", "warehouse", "/inbox?view=late"),
            ("due today", "owner", "/inbox?view=today"), ("one step", "warehouse", "/inbox?step=9"),
            ("the next page", "warehouse", second), ("the list alone", "warehouse", "/inbox/list"),
            ("a task", "warehouse", task), ("search: a customer", "warehouse", "/inbox?q=customer+4711"),
            ("search: part of a number", "warehouse", "/inbox?q=4711"), ("search: a city", "owner", "/inbox?q=berl"),
            ("search: a rare SKU", "owner", "/inbox?q=product-e"),
            ("search: a usual SKU", "owner", "/inbox?q=product-a"),
            ("search: a task", "owner", "/inbox?q=prepare"), ("search: nothing", "owner", "/inbox?q=zebra"),
        ):
            yield Took(database, page, *_times(people[who], address))


@contextmanager
def _filled(folder: Path, url: str) -> Iterator[tuple[Any, str]]:
    clock = MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    parts = app.build(load(var=folder / "var", demo=True, database_url=url), clock=clock)
    app.prepare(parts)
    try:
        order = Shop(parts, clock).places_order().goes_to("prepare_shipment")
        with parts.database.engine.begin() as connection:
            instance = dict(connection.execute(select(Instance.__table__)).mappings().first() or {})
            task = dict(connection.execute(select(Task.__table__).where(Task.state == "open")).mappings().one())
            shop = dict(connection.execute(select(goods.Order.__table__)).mappings().first() or {})
            line = dict(connection.execute(select(goods.OrderLine.__table__)).mappings().first() or {})
            made = list(zip(*_rows(instance, task, shop, line, clock.now()), strict=True))
            targets = (Instance, goods.Order, goods.OrderLine, Task)
            for target, rows in zip(targets, made, strict=True):
                for first in range(0, TASKS, 1000):
                    connection.execute(insert(target), list(rows[first : first + 1000]))
            for first in range(0, TASKS, 1000):
                connection.execute(insert(goods.OrderWord), [
                    {"word": word, "order_number": order["number"]}
                    for order in made[1][first : first + 1000]
                    for word in words_of_order(order["number"], order["customer_name"], order["city"], order["email"])
                ])  # fmt: skip
        with parts.database.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
        yield app.create_app(parts=parts), f"/tasks/{order.task('prepare_shipment').id}"
    finally:
        parts.database.dispose()


def _rows(*models: Any) -> Iterator[tuple[dict[str, Any], ...]]:
    instance, task, shop, line, now = models
    chance = random.Random(5)
    for n in range(TASKS):
        number, made, team = f"BENCH-{n}", str(uuid.UUID(int=chance.getrandbits(128))), chance.choice(TEAMS)
        element, step = STEPS[team]
        held = chance.choice([team, "colleague"]) if chance.random() < 0.2 else None
        due = now + timedelta(minutes=chance.randrange(-600, 6000))
        yield (
            {**instance, "id": made, "business_key": number, "state": b"", "started_at": now - timedelta(seconds=n)},
            {**shop, "number": number, "customer_name": f"Customer {n}", "track_token": made, "order_ref": None},
            {**line, "order_number": number, "sku": f"product-{chance.choice('abcd' * 20 + 'e')}"},
            {**task, "id": f"task-{made[5:]}", "instance_id": made, "business_key": number, "team": team, "step": step,
             "element": element, "assignee": held, "claimed_at": now if held else None, "due_at": due},
        )


def _signed_in(flask: Any, name: str) -> FlaskClient:
    client: FlaskClient = flask.test_client()
    page = client.get("/sign-in").get_data(as_text=True)
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post("/sign-in", data={"csrf_token": token, "name": name, "password": "demo"})
    assert answer.status_code == 303, answer.status
    return client


def _get(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status)
    return answer.get_data(as_text=True)


def _address_of_more(client: FlaskClient) -> str:
    page = _get(client, "/inbox")
    return page[: page.index('">Show more</a>')].rsplit('href="', 1)[1].replace("&amp;", "&")


def _times(client: FlaskClient, address: str) -> tuple[float, float]:
    _get(client, address)
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        _get(client, address)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent), max(spent)


if __name__ == "__main__":
    from rich.console import Console

    Console(width=118).print(table(measure()))
