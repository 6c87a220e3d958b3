"""The shop fixture: an installation with the shipped diagram, on each database, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app
from app import Counterparties, Parts
from engine.store.database import Database
from settings import load
from tests.scenarios.shop import Shop


class Outside:
    """What the outside companies do; a test changes the attributes before or while orders run."""

    def __init__(self) -> None:
        self.courier_plan: Any = None
        self.courier_fault: Any = None
        self.payment_fault: Any = None

    def counterparties(self) -> Counterparties:
        from handlers.couriers.journeys import Plan

        return Counterparties(
            plan=lambda order, courier: self.courier_plan(order, courier) if self.courier_plan else Plan(),
            courier_faults=lambda method, key: self.courier_fault(method, key) if self.courier_fault else None,
            payment_faults=lambda method, key: self.payment_fault(method, key) if self.payment_fault else None,
        )


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def parts(database: Database, tmp_path: Path, clock: Any, outside: Outside) -> Iterator[Parts]:
    settings = load(var=tmp_path / "var", demo=True, database_url=database.url.render_as_string(False))
    parts = app.build(settings, clock=clock, counterparties=outside.counterparties())
    # the fixture's tables are there already, made from the same models
    app.install(parts)
    yield parts
    parts.database.dispose()


@pytest.fixture
def shop(parts: Parts, clock: Any) -> Shop:
    return Shop(parts, clock)
