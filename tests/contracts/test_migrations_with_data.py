"""Migrations of databases in which something lies: every older revision comes to the newest, and its orders go on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Column, MetaData, Table, create_engine, event, func, insert, inspect, select, text

import app
import migrations
from app import Counterparties
from demo.clock import DemoClock
from demo.dice import Dice
from demo.outside import CourierWorld
from demo.run import DemoRun, Progress
from demo.tally import broken
from engine.errors import DatabaseAhead
from engine.store.database import Database
from engine.store.tables import Event, Instance
from handlers.order_words import words_of_order
from handlers.tables import Order, OrderWord
from settings import load
from tests.contracts.test_migrations import Empty, empty, schema

__all__ = ["empty"]
OLDER = migrations.known()[:-1]
TRIED = sorted({OLDER[0], "0002", "0004", OLDER[-1]})
"""The long way, those of versions that were in use, and the last step; every way goes through the revisions between."""
GONE = {"user_account": {"session_epoch": 1}}
"""What a row had to have in older tables."""
SEED = 7
STRIDE = 7
"""An upgrade is killed at each seventh of its statements: it is one transaction, whichever it is."""


class Enough(Exception):
    """The run has come as far as it should."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a demo that was broken off: some orders have ended, some are under way."""
    var = tmp_path_factory.mktemp("filled") / "var"
    parts = opened(var)
    try:
        app.prepare(parts)

        def report(reached: Progress) -> None:
            if reached.ended >= 2:
                raise Enough

        with pytest.raises(Enough):
            demo(parts, 8).run(report)
        with parts.engine.reading() as session:
            assert session.scalars(select(Instance.id).where(Instance.status == "open")).all()
    finally:
        parts.database.dispose()
    return var


def opened(var: Path, url: str = "") -> app.Parts:
    world = CourierWorld(Dice(SEED))
    outside = Counterparties(plan=world.plan, courier_faults=world.fault)
    return app.build(load(var=var, demo=True, database_url=url), counterparties=outside)


def demo(parts: app.Parts, orders: int) -> DemoRun:
    assert isinstance(parts.clock, DemoClock)
    return DemoRun(parts.engine, parts.ports, parts.clock, orders=orders, seed=SEED)


def tables() -> list[Table]:
    return [table for metadata in migrations.METADATA for table in metadata.sorted_tables]


def put(filled: Path, database: Database, revision: str) -> None:
    """Makes the tables of a revision and puts in what of the demo's rows has a place there."""
    config = migrations._config()
    config.attributes["database"] = database
    command.upgrade(config, revision)
    found = inspect(database.engine)
    there = {name: {column["name"] for column in found.get_columns(name)} for name in found.get_table_names()}
    source = create_engine(f"sqlite:///{filled / 'waybill.db'}")
    with source.connect() as old, database.engine.begin() as new:
        for model in tables():
            columns = [column for column in model.columns if column.name in there.get(model.name, ())]
            if not columns:
                continue
            gone = {name: value for name, value in GONE.get(model.name, {}).items() if name in there[model.name]}
            rows = [{**row, **gone} for row in old.execute(select(*columns)).mappings()]
            table = Table(model.name, MetaData(), *(Column(c.name, c.type) for c in columns), *map(Column, gone))
            if rows:
                new.execute(insert(table), rows)
            if rows and not database.is_sqlite and isinstance(rows[0].get("id"), int):
                new.execute(text(f"select setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) "
                                 f"from {table.name}"))
    source.dispose()
    assert migrations.current(database) == revision


def lines(database: Database) -> tuple[int, int]:
    with database.read() as session:
        counts = [session.execute(select(func.count()).select_from(table)).scalar_one() for table in (Instance, Event)]
    return counts[0], counts[1]


def words(database: Database) -> set[tuple[str, str]]:
    """What the search finds each order by."""
    with database.read() as session:
        return set(session.execute(select(OrderWord.order_number, OrderWord.word)).tuples())


def words_that_the_models_keep(database: Database) -> set[tuple[str, str]]:
    """The same, made by today's code."""
    with database.read() as session:
        orders = session.scalars(select(Order)).all()
    return {
        (order.number, word) for order in orders
        for word in words_of_order(order.number, order.customer_name, order.city, order.email, order.order_ref)
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("revision", TRIED)
def test_orders_of_an_older_revision_go_on(filled: Path, empty: Empty, tmp_path: Path, revision: str) -> None:
    """What a demo has left is migrated in place; it has the models' tables, and every order comes to its end."""
    database, modelled = empty(), empty()
    var = tmp_path / "var"
    shutil.copytree(filled, var)
    put(filled, database, revision)
    before = lines(database)

    migrations.upgrade(database)

    assert lines(database) == before
    for metadata in migrations.METADATA:
        metadata.create_all(modelled.engine)
    assert schema(database) == schema(modelled)
    assert words(database) == words_that_the_models_keep(database) != set()
    parts = opened(var, database.url.render_as_string(hide_password=False))
    try:
        assert app.prepare(parts) is None
        assert parts.engine.verify_audit() == []
        assert demo(parts, 0).run()
        assert broken(parts.engine, parts.ports) == []
    finally:
        parts.database.dispose()


def test_an_upgrade_killed_at_any_statement_can_be_given_again(filled: Path, empty: Empty) -> None:
    """A process that dies in the middle leaves the tables of one revision or another, never of half a one."""
    database, known = empty(), migrations.known()
    put(filled, database, OLDER[0])
    before = lines(database)
    database.dispose()
    statement = 0
    while killed_at(database, statement):
        found = migrations.current(database)
        assert found in known
        assert lines(database) == before
        database.dispose()
        statement += STRIDE

    assert statement > 10 * STRIDE
    migrations.require_current(database)
    assert lines(database) == before


def killed_at(database: Database, statement: int) -> bool:
    """Upgrades in another process, which dies before the given statement; False when it came to its end first."""
    child = os.fork()
    if child == 0:
        left = [statement]

        def die(*_: object) -> None:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1

        fresh = Database(database.url.render_as_string(hide_password=False))
        event.listen(fresh.engine, "before_cursor_execute", die)
        try:
            migrations.upgrade(fresh)
        except BaseException:  # noqa: BLE001 - nothing of this process may reach pytest
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def test_a_database_from_the_future_is_refused(empty: Empty) -> None:
    """A newer program has been here: this one works on nothing of it, and says which one is wanted."""
    database = empty()
    migrations.upgrade(database)
    with database.write() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))

    for act in (migrations.upgrade, migrations.require_current):
        with pytest.raises(DatabaseAhead, match="newer Waybill") as refused:
            act(database)
        assert "9999" in str(refused.value)
        assert "\n" not in str(refused.value)
