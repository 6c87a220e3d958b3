"""Fixtures that every kind of test shares: a clock that tests move, and real databases of both kinds."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from engine.store.database import Database
from migrations import METADATA as TABLES
from tests.clock import MovableClock

POSTGRES = os.environ.get("WAYBILL_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
NO_POSTGRES = f"no PostgreSQL answers at {make_url(POSTGRES).host}: start one or set WAYBILL_TEST_POSTGRES"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with every table, copied for each test."""
    path = tmp_path_factory.mktemp("template") / "waybill.db"
    database = Database(f"sqlite:///{path}")
    for metadata in TABLES:
        metadata.create_all(database.engine)
    with database.engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of this test run, with every table; dropped at the end."""
    server = create_engine(
        POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2}, pool_pre_ping=False
    )
    name = f"waybill_test_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            # no test crashes the server itself, so none waits for its disk
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    except OperationalError:
        pytest.skip(NO_POSTGRES)
    url = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    database = Database(url)
    for metadata in TABLES:
        metadata.create_all(database.engine)
    database.dispose()
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, once of each kind."""
    committed: list[object] = []
    if request.param == "sqlite":
        path = tmp_path / "waybill.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}")
    else:
        database = Database(request.getfixturevalue("postgres_url"))
    event.listen(database.engine, "commit", committed.append)
    yield database
    if request.param == "postgres" and committed:  # emptying takes longer than most tests
        empty_postgres(database)
    database.dispose()


def empty_postgres(database: Database) -> None:
    """Leaves the tables and nothing in them. Numbering goes on, so that rows put back later meet no number twice."""
    names = ", ".join(table.name for metadata in TABLES for table in metadata.sorted_tables)
    with database.write() as session:
        session.execute(text(f"TRUNCATE {names} CASCADE"))


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """One open transaction that writes; undone at the end unless the test commits it."""
    with Session(database.engine, expire_on_commit=False) as session:
        yield session
        session.rollback()
