"""Fixtures that every kind of test shares: a clock that tests move, and real databases of both kinds."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from engine.store.database import Database
from migrations import METADATA as TABLES
from tests.clock import MovableClock

POSTGRES = os.environ.get("WAYBILL_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
NO_POSTGRES = f"no PostgreSQL answers at {make_url(POSTGRES).host}: start one or set WAYBILL_TEST_POSTGRES"


class _Hasty(sqlite3.Connection):
    """Waits for no disk: a test may kill a process, none cuts the power. Tests in other processes do wait."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA synchronous"):
            sql = "PRAGMA synchronous = OFF"
        return super().execute(sql, *values)


class _Compiled(BytecodeCache):
    """Templates, compiled once for the apps of all tests: that takes longer than most pages."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


def pytest_configure() -> None:
    """What every test would pay for again and none looks at."""
    for module in (sqlite3, sqlite3.dbapi2):
        module.connect = partial(sqlite3.dbapi2.connect, factory=_Hasty)  # type: ignore[attr-defined]
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Compiled()}


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: looking through them for garbage took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


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
