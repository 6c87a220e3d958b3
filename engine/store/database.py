"""One database behind one address: transactions that write, sessions that only read, and the dialects' differences."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql import Select, func

_READ_ONLY = "waybill_read_only"
_QUIET: dict[str, Any] = {"hide_parameters": True}
"""Errors name the statement and not its values: addresses, tokens and password hashes belong in no log."""


class Database:
    """Opens sessions. SQLite runs in WAL mode with full synchronisation, PostgreSQL at READ COMMITTED."""

    def __init__(self, url: str) -> None:
        """`url` is SQLAlchemy's, e.g. `sqlite:////srv/waybill/waybill.db` or `postgresql+psycopg://…`."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url.render_as_string(False)) if self.is_sqlite else _postgres(url)
        reader = self.engine.execution_options(**{_READ_ONLY: True})
        self._writing = sessionmaker(self.engine, expire_on_commit=False, autoflush=True)
        for happened in ("pending_to_persistent", "loaded_as_persistent"):
            event.listen(self._writing, happened, _keep_while_writing)
        self._reading = sessionmaker(reader, expire_on_commit=False, autoflush=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: commits at the end, rolls back when the block raises."""
        with self._writing.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; takes no write lock and leaves nothing behind."""
        with self._reading() as session:
            yield session

    def lock_clock(self, session: Session) -> datetime:
        """The clock that leases are measured by: PostgreSQL's own, so that machines agree, else this machine's."""
        if self.is_sqlite:
            return datetime.now(UTC)
        now = session.execute(select(func.clock_timestamp())).scalar_one()
        assert isinstance(now, datetime)
        return now.astimezone(UTC)

    def skip_locked(self, statement: Select[Any]) -> Select[Any]:
        """Adds `FOR UPDATE SKIP LOCKED` where the database has row locks."""
        return statement if self.is_sqlite else statement.with_for_update(skip_locked=True)

    def ping(self) -> None:
        """Raises when the database does not answer."""
        with self.read() as session:
            session.execute(text("select 1"))

    def dispose(self) -> None:
        """Closes every connection."""
        self.engine.dispose()


def _keep_while_writing(session: Session, row: object) -> None:
    """Holds what a command has read or made until it ends, so that nothing of it is read twice.

    A session forgets objects that nobody else holds, and a command calls many operations that each look at the order.
    """
    session.info.setdefault("kept", []).append(row)


def _sqlite(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=12, max_overflow=8, **_QUIET
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own would come too late
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # the write lock is taken up front: a transaction that reads first and writes later could find it taken
        read_only = connection.get_execution_options().get(_READ_ONLY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _postgres(url: str) -> Engine:
    return create_engine(
        url, pool_size=10, max_overflow=10, pool_pre_ping=True, isolation_level="READ COMMITTED", **_QUIET
    )
