"""Fixtures for tests of pages and API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.base import Library
from engine.store.database import Database
from tests.clock import MovableClock
from tests.conftest import empty_postgres
from tests.web.api_world import World, open_shop
from tests.web.every_text import Wrapped
from web import texts


@pytest.fixture(scope="session")
def installation(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Library]:
    """A database with the shop installed, to be copied, and its processes, parsed: both take longer than most tests."""
    folder = tmp_path_factory.mktemp("installation")
    path = folder / "waybill.db"
    shutil.copy(sqlite_template, path)
    world = open_shop(f"sqlite:///{path}", MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC)), folder)
    with world.engine.reading() as session:
        world.engine.library.newest(session, "order_fulfillment")
    with world.database.engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    world.database.dispose()
    return path, world.engine.library


@pytest.fixture
def world(tmp_path: Path, clock: MovableClock, installation: tuple[Path, Library]) -> Iterator[World]:
    """The shop with its people and stocked shelves, reached by the API. For rules that ask nothing of a database."""
    template, library = installation
    path = tmp_path / "waybill.db"
    shutil.copy(template, path)
    world = open_shop(f"sqlite:///{path}", clock, tmp_path, installed=library.copy())  # versions of its own
    yield world
    world.database.dispose()


@pytest.fixture
def each_world(
    database: Database, tmp_path: Path, clock: MovableClock, installation: tuple[Path, Library]
) -> Iterator[World]:
    """The same on each kind of database, for what is asked of SQL."""
    template, library = installation
    if database.is_sqlite:
        shutil.copy(template, str(database.url.database))
    installed = library.copy() if database.is_sqlite else None
    world = open_shop(database.url.render_as_string(False), clock, tmp_path, installed=installed)
    yield world
    if not world.database.is_sqlite:
        empty_postgres(world.database)
    world.database.dispose()


@pytest.fixture
def wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text that is in the catalogue stands in brackets."""
    monkeypatch.setattr(texts, "translations", lambda _language: Wrapped())
