"""Somebody acts between a look and the lock: what was read is read again, and nobody loses what they just took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from engine.views import Actor
from tests.web.api_world import World
from tests.web.test_absences import HELENA, RAVI, claimed_gate, goes_away
from tests.web.test_pages_scanning import placed_at
from tests.web.visitor import open_task
from web.accounts.administration import Administration
from web.accounts.away import Absences

POSTGRES_ONLY = pytest.mark.parametrize(
    "database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
ADMIN = Actor("admin", frozenset({"admin"}), sees_all=True, display_name="Tomas Ibarra", is_administrator=True)
MEI = Actor("warehouse", frozenset({"warehouse"}))


@contextmanager
def right_after(world: World, words: str, act: Callable[[], object]) -> Iterator[None]:
    """Somebody acts once, by another connection, when a statement with these words has been answered."""
    waits = [act]

    def answered(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if words in statement and waits:
            waits.pop()()

    event.listen(world.database.engine, "after_cursor_execute", answered)
    try:
        yield
    finally:
        event.remove(world.database.engine, "after_cursor_execute", answered)
    assert not waits, "nobody asked so"


def test_who_comes_back_to_a_forgotten_task_keeps_it(each_world: World) -> None:
    """Though it stood on the list of those that nobody works on."""
    world = each_world
    task = open_task(world, placed_at(world, 10))
    world.engine.claim(task, MEI)
    world.clock.advance(hours=9)

    def types() -> None:
        world.engine.save_task_draft(task, MEI, {"note": "I am here."})

    with right_after(world, "ORDER BY task.claimed_at", types):
        assert world.engine.release_forgotten() == 0

    assert world.engine.task(task, MEI).task.assignee == "warehouse"


@POSTGRES_ONLY
def test_who_takes_a_task_over_from_somebody_who_leaves_keeps_it(each_world: World) -> None:
    """What goes back to the team is what the one who leaves still has."""
    world = each_world
    order, task = claimed_gate(world)
    ravi = Actor(RAVI, frozenset({"stock-approvers"}))

    with (
        right_after(world, "ORDER BY task.instance_id", lambda: world.engine.take_over(task, ravi, "I do it.")),
        world.engine.transaction() as session,
    ):
        since = world.clock.now()
        Administration(world.engine, session, ADMIN).away(
            HELENA, since, since + timedelta(days=1), None, keep_tasks=False
        )

    assert world.task_of(order)["assignee"] == RAVI


def test_whose_absence_was_put_off_meanwhile_keeps_the_tasks(world: World) -> None:
    """The list of absences that begin was read before."""

    class Old(Absences):
        def begun(self, session: Session, now: datetime) -> Sequence[str]:
            return [HELENA]

    order, _ = claimed_gate(world)
    goes_away(world, HELENA, after=2, keep=False)
    world.engine.absences = Old()

    assert world.engine.release_absent() == 0
    world.clock.advance(days=2)
    assert world.engine.release_absent() == 1
    assert world.task_of(order)["assignee"] is None
