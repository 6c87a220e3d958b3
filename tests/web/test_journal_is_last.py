"""The journal is locked last: two who do different things never wait for each other crosswise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from engine import SYSTEM
from engine.views import Actor
from tests.web.api_world import World
from web import accounts
from web.accounts.administration import Administration

POSTGRES_ONLY = pytest.mark.parametrize(
    "database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
OWNER = Actor("owner", frozenset({"owner"}), sees_all=True, display_name="Dana Levy", is_owner=True)
ADMIN = Actor("admin", frozenset({"admin"}), sees_all=True, display_name="Tomas Ibarra", is_administrator=True)


@contextmanager
def locked_after_the_journal(world: World) -> Iterator[tuple[list[str], list[str]]]:
    """Collects when the journal's key is taken, and what locks or changes anything else once a transaction has it."""
    taken: list[str] = []
    late: list[str] = []
    holds: set[int] = set()

    def sent(connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if "pg_advisory_xact_lock" in statement and "'journal'" in str(parameters):
            holds.add(id(connection))
            taken.append(statement)
        elif id(connection) in holds and "INTO journal " not in statement and _locks(statement):
            late.append(statement)

    def ended(connection: object) -> None:
        holds.discard(id(connection))

    listeners = (("before_cursor_execute", sent), ("commit", ended), ("rollback", ended))
    for name, listener in listeners:
        event.listen(world.database.engine, name, listener)
    try:
        yield taken, late
    finally:
        for name, listener in listeners:
            event.remove(world.database.engine, name, listener)


def _locks(statement: str) -> bool:
    return not statement.startswith("SELECT") or "FOR UPDATE" in statement or "advisory" in statement


@POSTGRES_ONLY
def test_nothing_is_locked_after_the_journal(each_world: World) -> None:
    """Neither an order whose claimed task goes back, nor one whose gate is opened in an emergency, nor a person."""
    world = each_world
    order, claimed = world.place(), world.place()
    world.work()
    [gate, theirs] = [world.task_of(each)["id"] for each in (order, claimed)]
    for helper in "stock-approver", "stock-approver-2":
        assert world.of("stock-approver").post(f"/tasks/{theirs}/assign", {"to": helper}).status_code == 200
    lines = len(world.engine.journal(limit=200).items)

    with locked_after_the_journal(world) as (taken, late):
        with world.engine.transaction() as session:
            since = world.clock.now()
            Administration(world.engine, session, ADMIN).away(
                "stock-approver-2", since, since + timedelta(days=1), None, keep_tasks=False
            )
        world.of("stock-approver").post(f"/tasks/{theirs}/claim")
        with world.engine.transaction() as session:
            Administration(world.engine, session, ADMIN).change("stock-approver", teams=["warehouse"])
        approval = world.engine.task(gate, OWNER).approval
        assert approval is not None
        world.engine.override(gate, OWNER, reason="Both approvers are ill today.", snapshot=approval.snapshot)
        [alarm] = world.engine.alarms(ADMIN)
        world.engine.acknowledge_alarm(alarm.id, ADMIN, "Both were ill.")
        with world.engine.transaction() as session:  # a change that the session has not sent yet
            user = accounts.find_user(session, "sales")
            assert user is not None
            user.display_name = "Anna Berg"
            world.engine.note_in_journal(session, SYSTEM.name, "user_changed", "sales")

    assert late == []
    assert len(world.engine.journal(limit=200).items) == lines + 5
    assert len(taken) == 5, "one writer at a time: each line follows the one before"
    assert world.task_of(claimed)["assignee"] is None
