"""Real troubles of a database, of either kind, for as long as a test wants them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from sqlalchemy import event, text

from engine.store.database import Database

Trouble = Callable[[Database], AbstractContextManager[None]]


@contextmanager
def full(database: Database) -> Iterator[None]:
    """No page more fits on the disk."""
    if database.is_sqlite:
        with database.write() as session:  # whatever is done takes new pages
            session.execute(text("create table filler (bytes)"))
            for n, when in enumerate(("update on task", "insert on event", "insert on message")):
                session.execute(text(f"create trigger f{n} after {when} begin insert into filler values "
                                     "(zeroblob(40000)); end"))
        with _each_connection(database, "pragma max_page_count = 1"):
            yield
        with database.write() as session:
            session.execute(text("drop table filler"))
            for n in range(3):
                session.execute(text(f"drop trigger f{n}"))
        return
    with database.write() as session:
        session.execute(text(
            "create function is_full() returns trigger as $$ begin raise exception 'could not extend file: No space "
            "left on device' using errcode = '53100'; end $$ language plpgsql"
        ))
        for table in ("event", "task", "message"):
            session.execute(text(f"create trigger f before insert or update on {table} execute function is_full()"))
    try:
        yield
    finally:
        with database.write() as session:
            session.execute(text("drop function is_full cascade"))


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """What is kept can be read, and nothing more can be kept."""
    if database.is_sqlite:
        with _each_connection(database, "pragma query_only = on"):
            yield
        return
    with database.write() as session:
        session.execute(text(f'alter database "{database.url.database}" set default_transaction_read_only = on'))
    database.dispose()
    try:
        yield
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("set transaction read write")
            connection.exec_driver_sql(f'alter database "{database.url.database}" reset default_transaction_read_only')
        database.dispose()


@contextmanager
def busy(database: Database) -> Iterator[None]:
    """Somebody else holds what every command needs, for longer than anybody waits."""
    if database.is_sqlite:
        other = sqlite3.connect(str(database.url.database), isolation_level=None)
        other.execute("begin immediate")
        with _each_connection(database, "pragma busy_timeout = 20"):
            yield
        other.close()
        return
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(False)) as other:
        other.execute("lock table event, task in exclusive mode")
        with _each_connection(database, "set lock_timeout = 20"):
            yield


@contextmanager
def away(database: Database) -> Iterator[None]:
    """Nobody answers at the address."""
    database.dispose()

    def nowhere(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        if database.is_sqlite:
            arguments[0] = "/nowhere/waybill.db"
        else:
            options["port"] = 1

    event.listen(database.engine, "do_connect", nowhere)
    try:
        yield
    finally:
        event.remove(database.engine, "do_connect", nowhere)


@contextmanager
def _each_connection(database: Database, statement: str) -> Iterator[None]:
    """Gives every new connection a statement first; afterwards all connections are new again."""

    def give(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        if not database.is_sqlite:
            connection.commit()

    database.dispose()
    event.listen(database.engine, "connect", give)
    try:
        yield
    finally:
        event.remove(database.engine, "connect", give)
        database.dispose()


def cut_off(database: Database) -> None:
    """The server ends every connection to the database, as when it is stopped."""
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(False), autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                      "and pid <> pg_backend_pid()")
