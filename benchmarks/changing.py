"""What changing the process takes: the check, the impact over ten thousand live orders, and moving a thousand.

Orders are taken to places all over the diagram by people and outside companies; the many are copies of their rows,
with ids of their own. Figures are seconds by the clock on the wall, of one process, with its database on disk.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table as Printed
from sqlalchemy import Connection, Table, insert, select

from app import BUNDLE
from benchmarks.ours import Bench
from engine import Bundle
from engine.codec import pack, unpack
from engine.store.tables import Event, Instance, Job, Task
from engine.views import Actor
from tests.scenarios.redrawing import Redrawn

PLACES = ("approve_reservation", "prepare_shipment", "package_products", "confirm_pickup", "prepare_next")
LIVE = 10_000
MOVED = 1_000
ANALYST = Actor("analyst", frozenset({"analysts"}))
KEY = "order_fulfillment"
LARGE = 5 * 1024 * 1024
_TABLES: tuple[Any, ...] = (Instance.__table__, Task.__table__, Job.__table__, Event.__table__)
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_STATES = ("state", "variables", "visits")


@dataclass(frozen=True, slots=True)
class Took:
    """One thing that was done."""

    what: str
    seconds: float
    most: float
    """What it may take, in seconds."""
    told: str


def measure(bench: Bench) -> list[Took]:
    """Fills the installation with orders, then checks, asks and moves."""
    _fill(bench)
    engine = bench.parts.engine
    change = Redrawn().puts_in("gift_wrap", after="package_products").bundle
    shipped = Bundle.from_folders(*BUNDLE)
    large = _large(shipped)
    engine.check(shipped)  # the process that checks has begun
    found = [
        _timed("check of the shipped bundle", 1, lambda: engine.check(shipped),
               lambda findings: f"{len(findings)} problems"),
        _timed("check of a diagram of 5 MB", 5, lambda: engine.check(large),
               lambda findings: findings[0].message if findings else "no problem"),
        _timed(f"impact over {LIVE:,} live orders", 10, lambda: engine.impact(KEY, change),
               lambda impact: ", ".join(f"{group.count:,} {group.kind}" for group in impact.groups)),
    ]
    version = engine.deploy(change, ANALYST, origin="upload", reason="Gift wrap.", base_version=1)[0].version
    orders = [f"BENCH-COPY-{number}" for number in range(MOVED)]
    return [*found, _timed(f"moving {MOVED:,} orders", 30, lambda: _moves(bench, version, orders), str)]


def table(found: list[Took]) -> Printed:
    """For people."""
    printed = Printed(title="Changing the process")
    for heading in ("", "seconds", "at most", "result"):
        printed.add_column(heading, justify="right" if heading in ("seconds", "at most") else "left")
    for one in found:
        printed.add_row(one.what, f"{one.seconds:.2f}", f"{one.most:.0f}", one.told[:60])
    return printed


def _timed(what: str, most: float, work: Callable[[], Any], told: Callable[[Any], str]) -> Took:
    began = time.perf_counter()
    result = work()
    return Took(what, time.perf_counter() - began, most, told(result))


def _moves(bench: Bench, version: int, orders: list[str]) -> str:
    engine = bench.parts.engine
    begun = view = engine.migrate(KEY, version, ANALYST, reason="Gift wrap.", orders=orders)
    while view.waiting:
        bench.shop.works()
        view = engine.migration(begun.id, limit=1)
    return f"{view.moved:,} moved, {view.stays:,} stay, {view.refused:,} refused"


def _large(shipped: Bundle) -> Bundle:
    """The shipped bundle with notes in its diagram until that has 5 MB."""
    name = "processes/order_fulfillment.bpmn"
    data = shipped.files[name]
    end = data.rindex(b"</bpmn:process>") if b"</bpmn:process>" in data else data.rindex(b"</process>")
    prefix = b"bpmn:" if data[end:].startswith(b"</bpmn:") else b""
    note = b'<%stextAnnotation id="remark_%d"><%stext>Nobody reads %s this.</%stext></%stextAnnotation>\n'
    notes, size, number = [], len(data), 0
    while size < LARGE - 1000:
        notes.append(note % (prefix, number, prefix, b"all of " * 20, prefix, prefix))
        size, number = size + len(notes[-1]), number + 1
    return Bundle({**shipped.files, name: data[:end] + b"".join(notes) + data[end:]})


# --- many orders -----------------------------------------------------------------------------------------------------


def _fill(bench: Bench) -> None:
    numbers = [bench.order().goes_to(place).number for place in PLACES]
    with bench.parts.database.engine.begin() as connection:
        models = [_rows(connection, number) for number in numbers]
        batch: dict[Table, list[dict[str, Any]]] = {table: [] for table in _TABLES}
        for number in range(LIVE - len(models)):
            for table, rows in _copied(models[number % len(models)], f"BENCH-COPY-{number}").items():
                batch[table] += rows
        for table, rows in batch.items():
            for first in range(0, len(rows), 1000):
                connection.execute(insert(table), rows[first : first + 1000])


Rows = Mapping[Table, list[dict[str, Any]]]


def _rows(connection: Connection, number: str) -> Rows:
    instance = Instance.__table__
    of = select(instance.c.id).where(instance.c.business_key == number).scalar_subquery()
    return {
        table: [dict(row) for row in connection.execute(
            select(table).where((table.c.id if table is instance else table.c.instance_id) == of)).mappings()]
        for table in _TABLES
    }


def _copied(model: Rows, number: str) -> Rows:
    """The rows of one order as those of another: each id becomes a new one, in the state too."""
    new: dict[str, str] = {}

    def other(found: re.Match[str]) -> str:
        return new.setdefault(found[0], str(uuid.uuid4()))

    def copied(name: str, value: Any) -> Any:
        if name in _STATES and isinstance(value, bytes) and value:
            return pack(_replaced(unpack(value), other))
        if name == "business_key":
            return number
        if name == "key":
            return f"{_ID.sub(other, value)}:{number}"
        return _ID.sub(other, value) if isinstance(value, str) else value

    return {table: [{name: copied(name, value) for name, value in row.items()} for row in rows]
            for table, rows in model.items()}


def _replaced(value: Any, other: Callable[[re.Match[str]], str]) -> Any:
    if isinstance(value, str):
        return _ID.sub(other, value)
    if isinstance(value, dict):
        return {_replaced(name, other): _replaced(each, other) for name, each in value.items()}
    return [_replaced(each, other) for each in value] if isinstance(value, list) else value
