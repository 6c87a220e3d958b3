"""Fixtures for tests of pages and API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.database import Database
from tests.clock import MovableClock
from tests.conftest import empty_postgres
from tests.web.api_world import World, open_shop


@pytest.fixture
def world(tmp_path: Path, clock: MovableClock, sqlite_template: Path) -> Iterator[World]:
    """The shop with its people and stocked shelves, reached by the API. For rules that ask nothing of a database."""
    path = tmp_path / "waybill.db"
    shutil.copy(sqlite_template, path)
    world = open_shop(f"sqlite:///{path}", clock, tmp_path)
    yield world
    world.database.dispose()


@pytest.fixture
def each_world(database: Database, tmp_path: Path, clock: MovableClock) -> Iterator[World]:
    """The same on each kind of database, for what is asked of SQL."""
    world = open_shop(database.url.render_as_string(False), clock, tmp_path)
    yield world
    if not world.database.is_sqlite:
        empty_postgres(world.database)
    world.database.dispose()
