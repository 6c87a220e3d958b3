"""Migrations: an empty database becomes the database of the models, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import column, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy import table as sqlalchemy_table
from sqlalchemy.exc import OperationalError

import app
import migrations
from engine.errors import DatabaseBehind
from engine.seals import stored_seals
from engine.store.database import Database
from settings import load
from tests.conftest import NO_POSTGRES, POSTGRES
from tests.scenarios.shop import Shop
from web import accounts

ROOT = Path(migrations.__file__).parent.parent
Empty = Callable[[], Database]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    """Makes databases without a table, all of one kind."""
    with ExitStack() as made:
        if request.param == "sqlite":
            yield lambda: made.enter_context(_sqlite(tmp_path / f"{uuid.uuid4().hex}.db"))
        else:
            yield lambda: made.enter_context(_postgres())


@contextmanager
def _sqlite(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@contextmanager
def _postgres() -> Iterator[Database]:
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"waybill_test_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        pytest.skip(NO_POSTGRES)
    database = Database(make_url(POSTGRES).set(database=name).render_as_string(hide_password=False))
    yield database
    database.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def schema(database: Database) -> dict[str, Any]:
    """Everything that decides what a database takes and how fast: per table its columns, keys, indexes and checks."""
    found = inspect(database.engine)
    return {
        table: {
            "columns": {
                column["name"]: (column["type"].compile(database.engine.dialect), column["nullable"], column["default"])
                for column in found.get_columns(table)
            },
            "primary key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"], str(key["options"]))
                for key in found.get_foreign_keys(table)
            ),
            "unique": sorted(each["column_names"] for each in found.get_unique_constraints(table)),
            "indexes": {
                str(index["name"]): (index["column_names"], bool(index["unique"]), _condition(index))
                for index in found.get_indexes(table)
            },
            "checks": sorted(check["sqltext"] for check in found.get_check_constraints(table)),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _condition(index: Any) -> str:
    """What a partial index is restricted to."""
    options = index.get("dialect_options", {})
    return str(options.get("sqlite_where", options.get("postgresql_where", "")))


def test_migrated_from_empty_equals_the_models(empty: Empty) -> None:
    """An installation that grew by migrations has the tables, columns, keys, indexes and checks of the models."""
    migrated, modelled = empty(), empty()
    for metadata in migrations.METADATA:
        metadata.create_all(modelled.engine)

    migrations.upgrade(migrated)

    found, wanted = schema(migrated), schema(modelled)
    assert found.keys() == wanted.keys()
    for table in wanted:
        assert found[table] == wanted[table], table


def test_the_comparison_sees_what_differs(empty: Empty) -> None:
    """A comparison that saw no difference anywhere would prove nothing."""
    database = empty()
    migrations.upgrade(database)
    before = schema(database)

    with database.write() as session:
        session.execute(text("DROP INDEX task_mine"))
        session.execute(text("CREATE INDEX task_mine ON task (assignee, due_at)"))  # no longer only open tasks
        session.execute(text("ALTER TABLE task ADD COLUMN colour VARCHAR(3)"))

    after = schema(database)
    assert after["task"]["indexes"]["task_mine"] != before["task"]["indexes"]["task_mine"]
    assert after["task"]["columns"].keys() - before["task"]["columns"].keys() == {"colour"}


def test_upgrading_again_changes_nothing(empty: Empty) -> None:
    """An upgrade of a database that is up to date only looks."""
    database = empty()
    migrations.upgrade(database)
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _u, statement, *_: seen.append(statement))

    migrations.upgrade(database)

    assert seen
    assert [s for s in seen if s.split()[0].upper() not in ("BEGIN", "SELECT", "PRAGMA")] == []


def test_two_processes_upgrade_at_once(empty: Empty) -> None:
    """Two programs that start on an empty database at the same time both find it up to date afterwards."""
    database = empty()
    url = database.url.render_as_string(hide_password=False)
    program = "import sys, migrations; from engine import Database; migrations.upgrade(Database(sys.argv[1]))"

    started = [subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT, stderr=subprocess.PIPE, text=True)
               for _ in range(2)]
    complaints = [process.communicate(timeout=60)[1] for process in started]

    assert [process.returncode for process in started] == [0, 0], complaints
    migrations.require_current(database)


def test_a_database_that_is_behind_is_named_so(empty: Empty) -> None:
    """A program never works on tables that it does not know; the message says what to run."""
    with pytest.raises(DatabaseBehind, match="waybill db upgrade"):
        migrations.require_current(empty())


def test_a_database_with_orders_moves_forward(empty: Empty, tmp_path: Path) -> None:
    """Everything that lay in the first tables is there afterwards, its histories are whole and can be sealed."""
    order, grown, old = "WB-10001", empty(), empty()
    migrations.upgrade(grown)
    source = _installation(grown, tmp_path)
    app.install(source)
    Shop(source, source.clock).places_order()
    _upgrade_to(old, "0001")
    before = _copy(grown, old)
    assert before["event"]

    migrations.upgrade(old)

    with old.read() as session:
        for table, rows in before.items():
            columns = ", ".join(f'"{name}"' for name in rows[0]) if rows else "*"
            after = [dict(row) for row in session.execute(text(f'SELECT {columns} FROM "{table}"')).mappings()]
            assert sorted(map(repr, after)) == sorted(map(repr, rows)), table
    engine = _installation(old, tmp_path).engine
    assert engine.verify_audit(order) == []
    assert engine.seal().number == 1
    with old.read() as session:
        assert [head[1] for seal in stored_seals(session) for head in seal["heads"]] == [order]
    assert engine.verify_audit() == []


def test_tokens_of_before_have_an_end_afterwards(empty: Empty) -> None:
    """They go on for 90 days, for everything as before; people stay."""
    database = empty()
    _upgrade_to(database, "0005")
    with database.write() as session:
        session.execute(text(
            "INSERT INTO user_account (name, display_name, password_hash, teams, active, session_epoch) "
            "VALUES ('kim', 'Kim', 'x', '[\"sales\"]', true, 3)"
        ))
        session.execute(text(
            "INSERT INTO api_token (hash, \"user\", created_at) VALUES ('abc', 'kim', '2026-01-05 08:00:00')"
        ))

    migrations.upgrade(database)

    with database.read() as session:
        [token] = accounts.tokens_of(session, "kim")
    lasts = token.expires_at - datetime.now(UTC)
    assert timedelta(days=89) < lasts <= timedelta(days=90)
    assert (token.scopes, token.label, token.revoked_at) == (["all"], "", None)


def _installation(database: Database, folder: Path) -> app.Parts:
    parts = app.build(load(var=folder / "var", demo=True, database_url=database.url.render_as_string(False)))
    parts.database.dispose()
    parts.engine.database = database
    return parts


def _upgrade_to(database: Database, revision: str) -> None:
    config = migrations._config()
    config.attributes["database"] = database
    command.upgrade(config, revision)


GONE: dict[str, Any] = {"session_epoch": 1}
"""Columns that a later version dropped, with what stood in them."""


def _copy(source: Database, target: Database) -> dict[str, list[dict[str, Any]]]:
    """Puts every row into tables that know other columns; returns what was put there and is to stay, as it stands."""
    found = inspect(target.engine)
    copied = {}
    for table in (table for metadata in migrations.METADATA for table in metadata.sorted_tables):
        if not found.has_table(table.name):
            continue
        names = [column["name"] for column in found.get_columns(table.name)]
        kept = [name for name in names if name not in GONE]
        lost = {name: GONE[name] for name in names if name in GONE}
        old = sqlalchemy_table(
            table.name, *(column(name, table.c[name].type) for name in kept), *(column(name) for name in lost)
        )
        columns = ", ".join(f'"{name}"' for name in kept)
        with source.read() as reading, target.write() as writing:
            for row in reading.execute(select(*(table.c[name] for name in kept))).mappings():
                writing.execute(insert(old).values({**row, **lost}))
            copied[table.name] = [
                dict(row) for row in writing.execute(text(f'SELECT {columns} FROM "{table.name}"')).mappings()
            ]
    return copied
