"""The gates that wait for one person, in the order in which they fall due, so that several are signed in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from engine.inbox import Inbox
from engine.rows import task_view
from engine.store.tables import Signature, Task
from engine.tasklists import Shelves, on_any
from engine.views import Actor, TaskView

MOST_COUNTED = 99
"""Nobody counts on: a list of more is a long one."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Where one gate stands among those that wait for a person."""

    count: int
    """How many wait, the one asked about included when it does; at most `MOST_COUNTED` + 1."""
    previous: str | None
    """Ids of the gates before and after it."""
    next: str | None
    first: str | None
    """The one that falls due first."""


class Queues(Inbox):
    """What waits to be signed by somebody."""

    def gates_waiting(self, actor: Actor, beside: TaskView) -> Queue:
        """The gates that wait for the actor, beside one of them, or one that waited until it was signed.

        A gate that they have signed, or on whose order they have worked, does not wait for them. A fixed number of
        statements, however many wait.
        """
        with self.reading() as session:
            columns = queue_columns(actor, self._shelves(session, actor), beside.id)
            return Queue(*session.execute(select(*columns)).one())

    def like_gates(self, actor: Actor, like: TaskView, limit: int) -> list[TaskView]:
        """Gates of the same element that wait for the actor, soonest due first."""
        with self.reading() as session:
            statement = select(Task).where(
                *_waits_for(actor, self._shelves(session, actor)), Task.process == like.process,
                Task.element == like.element,
            )
            rows = session.scalars(statement.order_by(Task.due_at, Task.id).limit(limit))
            return [task_view(row) for row in rows]


def queue_columns(actor: Actor, shelves: Shelves, beside: str) -> tuple[ColumnElement[Any], ...]:
    """The values of a `Queue` beside the task of this id, as columns, for who sees these shelves."""
    task = aliased(Task)
    at = select(task.due_at).where(task.id == beside).scalar_subquery()
    after = or_(Task.due_at > at, and_(Task.due_at == at, Task.id > beside))
    before = or_(Task.due_at < at, and_(Task.due_at == at, Task.id < beside))
    found = select(Task.id).where(*_waits_for(actor, shelves))
    some = found.limit(MOST_COUNTED + 1).subquery()
    return (
        select(func.count()).select_from(some).scalar_subquery(),
        _one(found.where(before).order_by(Task.due_at.desc(), Task.id.desc())),
        _one(found.where(after).order_by(Task.due_at, Task.id)),
        _one(found.order_by(Task.due_at, Task.id)),
    )


def _waits_for(actor: Actor, shelves: Shelves) -> list[ColumnElement[bool]]:
    done = aliased(Task)
    signed = exists().where(
        Signature.task_id == Task.id, Signature.actor == actor.name, Signature.void_at.is_(None)
    )
    worked = exists().where(
        done.instance_id == Task.instance_id, done.completed_by == actor.name, done.state == "done",
        done.element != Task.element,
    )
    return [Task.state == "open", Task.kind == "approval", *on_any(shelves), ~signed, ~worked]


def _one(statement: Select[tuple[str]]) -> ColumnElement[str]:
    return statement.limit(1).scalar_subquery()
