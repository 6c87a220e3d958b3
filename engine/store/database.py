"""One database behind one address: transactions that write, sessions that only read, and the dialects' differences."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, select, text
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql import Select, func

from engine.errors import DatabaseTrouble
from engine.store.tables import Message
from engine.store.trouble import at_commit, trouble_of

_PROBE = 16 * 1024
"""Bytes that are written to see whether anything can be: more than fits on a page that is there already."""
_PAGES = 1000
"""Copied at once; between two such pieces progress is told."""
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
        self._trouble: DatabaseTrouble | None = None
        """What lets no command be committed although questions are answered, since the last one that was."""
        event.listen(self.engine, "handle_error", _say_trouble)
        reader = self.engine.execution_options(**{_READ_ONLY: True})
        self._writing = sessionmaker(self.engine, expire_on_commit=False, autoflush=True)
        for happened in ("pending_to_persistent", "loaded_as_persistent"):
            event.listen(self._writing, happened, _keep_while_writing)
        self._reading = sessionmaker(reader, expire_on_commit=False, autoflush=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: commits at the end, rolls back when the block raises.

        DatabaseTrouble when the database cannot do its work, whatever the block did: nothing of it stays.
        """
        try:
            with self._free(), self._writing() as session:
                yield session
                session.flush()
                try:
                    session.commit()
                except DatabaseTrouble as trouble:
                    raise at_commit(trouble) from trouble
        except DatabaseTrouble as trouble:
            self._trouble = trouble if trouble.kind in ("full", "read_only") else None
            raise
        self._trouble = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; takes no write lock and leaves nothing behind. DatabaseTrouble as in `write`."""
        with self._free(), self._reading() as session:
            yield session

    @contextmanager
    def _free(self) -> Iterator[None]:
        try:
            yield
        except NoConnectionFree as error:  # the pool's, not the database's: no statement was given
            trouble = trouble_of(error)
            assert trouble is not None
            raise trouble from error

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """As `read`; all that is read is of one moment, however long the reading takes."""
        with self.read() as session:
            if not self.is_sqlite:  # there, a transaction that reads sees one moment anyway
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
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

    def check(self) -> None:
        """DatabaseTrouble when commands cannot be committed now.

        Asks for an answer, and once a command has met a trouble, writes as well: a full disk and a database that can
        only be read answer every question.
        """
        with self.read() as session:
            session.execute(text("select 1"))
        if self._trouble is not None:
            with self.write() as session:
                probe = Message(source="check", message_id=uuid.uuid4().hex, name="check", correlation="",
                                payload=bytes(_PROBE), received_at=datetime.now(UTC))
                session.add(probe)
                session.flush()
                session.delete(probe)  # it takes its pages, and nobody ever sees it

    def copy(self, target: Path, *, beside: Callable[[], None], report: Callable[[int, int], None]) -> None:
        """Writes the SQLite database as it is at one moment into a new file, while commands go on.

        `beside` runs at that moment, when no command can commit; `report` is told bytes done and all bytes. Raises
        sqlite3.Error when the file cannot be written.
        """
        with self.read() as reader:
            with self.write() as lock:
                lock.connection()  # takes the write lock
                reader.execute(text("select 1 from sqlite_schema")).all()  # what is read from here on is of this moment
                page = reader.execute(text("pragma page_size")).scalar_one()
                beside()
            source = reader.connection().connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            with closing(sqlite3.connect(target)) as copy:
                source.backup(copy, pages=_PAGES, sleep=0,
                              progress=lambda _, left, pages: report((pages - left) * page, pages * page))

    def dispose(self) -> None:
        """Closes every connection."""
        self.engine.dispose()


def _say_trouble(context: ExceptionContext) -> None:
    """Everybody above meets a trouble of the database as one error, whatever driver and statement it came from."""
    if context.sqlalchemy_exception is None or context.is_pre_ping:  # a connection found broken is replaced unnoticed
        return
    trouble = trouble_of(context.sqlalchemy_exception)
    if trouble is not None:
        raise trouble from context.original_exception


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
