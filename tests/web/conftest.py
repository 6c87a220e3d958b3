"""Fixtures for tests of pages and API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.database import Database
from engine.store.tables import Base as EngineTables
from tests.conftest import MovableClock
from tests.web.api_world import World, open_shop
from web.accounts import Base as AccountTables


@pytest.fixture
def world(tmp_path: Path, clock: MovableClock, sqlite_template: Path) -> Iterator[World]:
    """The shop with its people and stocked shelves, reached by the API."""
    path = tmp_path / "waybill.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    for tables in (EngineTables, AccountTables):
        tables.metadata.create_all(database.engine)
    yield open_shop(database, clock, tmp_path)
    database.dispose()
