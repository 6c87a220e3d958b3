"""The shop fixture: an installation with the shipped diagram, on each database, with a clock that tests move."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import MetaData, Table, insert, select
from sqlalchemy.orm import Session

import app
from app import Counterparties, Parts
from engine.base import Library
from engine.store.database import Database
from handlers.documents import Renderer
from migrations import METADATA as TABLES
from settings import ROOT, load
from tests.scenarios.shop import Shop

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
SQLITE_ONLY = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For rules in which the database plays no part."""
EVERYWHERE = os.environ.get("WAYBILL_TEST_EVERYWHERE", "") not in ("", "0")
SQLITE_USUALLY = pytest.mark.parametrize("database", ["sqlite", *([POSTGRES] if EVERYWHERE else [])], indirect=True)
"""For files of which other tests cover the same statements: on PostgreSQL too with WAYBILL_TEST_EVERYWHERE=1."""


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


@pytest.fixture(scope="session")
def shipped() -> Library:
    """The shipped diagrams, parsed once: that takes longer than most tests."""
    return Library()


@pytest.fixture(scope="session")
def installed_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with diagram, people and catalogue, copied for each test."""
    folder = tmp_path_factory.mktemp("installed")
    path = folder / "installed.db"
    shutil.copy(sqlite_template, path)
    parts = app.build(load(var=folder, demo=True, database_url=f"sqlite:///{path}"))
    app.install(parts)
    with parts.database.engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    parts.database.dispose()
    return path


@pytest.fixture(scope="session")
def installed_rows(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Table, list[Any]]]:
    """The rows of a PostgreSQL database with diagram, people and catalogue, table by table."""
    parts = app.build(load(var=tmp_path_factory.mktemp("installed"), demo=True, database_url=postgres_url))
    app.install(parts)
    with parts.database.engine.connect() as connection:
        rows = [(table, [dict(row) for row in connection.execute(select(table)).mappings()]) for table in _tables()]
    empty(parts.database)
    parts.database.dispose()
    return rows


def _tables() -> list[Table]:
    metadatas: list[MetaData] = list(TABLES)
    return [table for metadata in metadatas for table in metadata.sorted_tables]


def empty(database: Database) -> None:
    """Leaves the tables and nothing in them; for few rows faster than TRUNCATE."""
    with database.engine.begin() as connection:
        for table in reversed(_tables()):
            connection.execute(table.delete())


@pytest.fixture
def library(database: Database, shipped: Library) -> Library:
    """The parsed diagrams. What a test deploys stays its own: the next one's ids mean something else."""
    with database.engine.connect() as connection, Session(connection) as session:
        shipped.newest(session, "order_fulfillment")
    return shipped.copy()


@pytest.fixture(params=["sqlite", POSTGRES])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database in which the shop is installed, once of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "waybill.db"
        shutil.copy(request.getfixturevalue("installed_sqlite"), path)
        database = Database(f"sqlite:///{path}")
        yield database
    else:
        rows = request.getfixturevalue("installed_rows")
        database = Database(request.getfixturevalue("postgres_url"))
        with database.engine.begin() as connection:
            for table, values in rows:
                if values:
                    connection.execute(insert(table), values)
        yield database
        empty(database)
    database.dispose()


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    """Fonts and mail sources are read once."""
    return Renderer(ROOT / "documents")


@pytest.fixture
def parts(
    database: Database, tmp_path: Path, clock: Any, outside: Outside, library: Library, renderer: Renderer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Parts]:
    monkeypatch.setattr(app, "Renderer", lambda folder: copy(renderer))
    settings = load(var=tmp_path / "var", demo=True, database_url=database.url.render_as_string(False))
    parts = app.build(settings, clock=clock, counterparties=outside.counterparties())
    parts.engine.library = library
    yield parts
    parts.database.dispose()


@pytest.fixture
def shop(parts: Parts, clock: Any) -> Shop:
    """The shop. Its papers are drawn quickly: what stands on a PDF is tested where documents are."""
    parts.ports.renderer.pdf = _quick_pdf  # type: ignore[method-assign]
    return Shop(parts, clock)


def _quick_pdf(name: str, data: Any) -> bytes:
    return b"%PDF- " + name.encode() + orjson.dumps(data)
