"""Orders through our engine on SQLite: the whole shop, and the engine alone with recorded answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

import app
from benchmarks.meter import Meter
from benchmarks.recording import Recording, recorded, replayed
from engine import Engine
from engine.store.tables import Instance
from settings import load
from tests.clock import MovableClock
from tests.scenarios.shop import ORDER, PEOPLE, OrderHandle, Shop

MID_ORDER = "package_products"
"""Step 10: half of the way, after both gates."""
MEASURED = "prepare_shipment"
"""Step 9: a user task that leads straight to the next one."""


class Bench:
    """One installation with a meter on its engine."""

    def __init__(self, parts: app.Parts, clock: MovableClock, recording: Recording) -> None:
        self.parts, self.recording = parts, recording
        self.shop = Shop(parts, clock)
        self.meter = Meter(parts.engine)
        self._orders = 0

    def order(self) -> OrderHandle:
        """A new order that waits at its first person after intake."""
        self._orders += 1
        number = f"BENCH-{self._orders}"
        self.parts.engine.start("order_fulfillment", number, PEOPLE["sales"], submit=ORDER,
                                variables={"intake": {"source": "api"}})
        self.shop.works()
        return OrderHandle(self.shop, number)

    def stored(self, number: str) -> tuple[int, int]:
        """Bytes of an instance's state and variables in the database."""
        with self.parts.engine.reading() as session:
            row = session.scalars(select(Instance).where(Instance.business_key == number)).one()
            return len(row.state), len(row.variables)


@contextmanager
def whole_shop() -> Iterator[Bench]:
    """The shipped installation; it records what one order meets."""
    recording = Recording()
    with _installation() as (parts, clock):
        engine = Engine(parts.database, recorded(parts.engine.registry, recording), clock)
        bench = Bench(replace(parts, engine=engine), clock, recording)
        _record_inputs(engine, recording)
        yield bench


@contextmanager
def engine_alone(recording: Recording) -> Iterator[Bench]:
    """The same process and engine; every operation gives its recorded answer at once."""
    with _installation() as (parts, clock):
        engine = Engine(parts.database, replayed(parts.engine.registry, recording), clock)
        yield Bench(replace(parts, engine=engine), clock, recording)


@contextmanager
def _installation() -> Iterator[tuple[app.Parts, MovableClock]]:
    clock = MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    with TemporaryDirectory(prefix="waybill-bench-") as folder:
        parts = app.build(load(var=Path(folder) / "var", demo=True, database_url=""), clock=clock)
        app.prepare(parts)
        try:
            yield parts, clock
        finally:
            parts.database.dispose()


def _record_inputs(engine: Engine, recording: Recording) -> None:
    """Leaves what people and outside companies say to the engine in the recording."""
    complete, deliver = engine.complete, engine.deliver

    def completing(task_id: str, actor: Any, data: Any, **kwargs: Any) -> Any:
        task = complete(task_id, actor, data, **kwargs)
        recording.forms[task.element] = dict(data)
        return task

    def delivering(name: str, order: str, payload: Any, **kwargs: Any) -> Any:
        recording.messages[name] = dict(payload)
        return deliver(name, order, payload, **kwargs)

    engine.complete = completing  # type: ignore[method-assign]
    engine.deliver = delivering  # type: ignore[method-assign, assignment]
    recording.forms["receive_order"] = dict(ORDER)

