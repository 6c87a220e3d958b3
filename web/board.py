"""The board: every open order at its step, the late ones first. Two statements, however many orders are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, and_, case, func, select
from sqlalchemy.orm import Session

from engine.store.tables import Event, Instance, Job, Task
from handlers import tables as shop
from web.order_search import Search
from web.queries import PROCESS

PER_STEP = 5
"""Orders that the board names at each step."""


@dataclass(frozen=True, slots=True)
class BoardOrder:
    """An open order as the board shows it under its step."""

    number: str
    due_at: datetime | None
    incident: bool
    late: bool


@dataclass(frozen=True, slots=True)
class BoardStep:
    """What stands at one step, of the orders that were asked for."""

    total: int
    late: int
    stopped: int
    """By an incident."""
    since: datetime
    """Since when the one that waits longest has waited."""
    orders: tuple[BoardOrder, ...]
    """The first few: late ones first, the latest at the head; then stopped ones; then those due soonest."""

    @property
    def more(self) -> int:
        return self.total - len(self.orders)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many orders wait for one team."""

    total: int = 0
    late: int = 0
    stopped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.total + other.total, self.late + other.late, self.stopped + other.stopped)


@dataclass(frozen=True, slots=True)
class Board:
    """Steps by number, and the numbers of all open orders by the team whose turn it is ("": nobody's)."""

    steps: Mapping[int, BoardStep]
    teams: Mapping[str, Tally]

    @property
    def all(self) -> Tally:
        return sum(self.teams.values(), Tally())

    @property
    def longest(self) -> tuple[int, datetime] | None:
        """The step at which an order has waited longest, and since when."""
        return min(((number, step.since) for number, step in self.steps.items()), key=lambda x: x[1], default=None)


def board(
    session: Session, now: datetime, *, team: str | None = None, late: bool = False, search: Search | None = None
) -> Board:
    """The open orders at their steps: all, or those that wait for a team, are late, or that a search finds."""
    tallies = _tallies(session, now)
    return Board(_steps(session, now, team, late, search), tallies)


def _open_orders(now: datetime) -> CTE:
    """One row for each open order: its most urgent task's team and due time, and whether it is late or stopped."""
    task = (
        select(
            Task.instance_id,
            Task.team,
            Task.created_at,
            case((Task.has_due.is_(True), Task.due_at)).label("due_at"),
            func.row_number().over(partition_by=Task.instance_id, order_by=(Task.due_at, Task.id)).label("place"),
        )
        .where(Task.state == "open")
        .subquery()
    )
    stopped = select(Job.instance_id).where(Job.state == "dead").distinct().subquery()
    due = task.c.due_at
    return (
        select(
            Instance.id,
            Instance.business_key,
            Instance.step,
            Instance.seq,
            Instance.started_at,
            func.coalesce(task.c.team, "").label("team"),
            task.c.created_at.label("asked_at"),
            due,
            case((due < now, 1), else_=0).label("late"),
            case((stopped.c.instance_id.is_not(None), 1), else_=0).label("stopped"),
        )
        .outerjoin(task, and_(task.c.instance_id == Instance.id, task.c.place == 1))
        .outerjoin(stopped, stopped.c.instance_id == Instance.id)
        .where(
            Instance.process_key == PROCESS,
            Instance.status.in_(("open", "cancelling")),
            Instance.step.is_not(None),
        )
        .cte("open_order")
    )


def _tallies(session: Session, now: datetime) -> dict[str, Tally]:
    one = _open_orders(now).c
    statement = select(one.team, func.count(), func.sum(one.late), func.sum(one.stopped)).group_by(one.team)
    return {
        team: Tally(int(total), int(late), int(stopped))
        for team, total, late, stopped in session.execute(statement)
    }


def _steps(
    session: Session, now: datetime, team: str | None, late: bool, search: Search | None
) -> dict[int, BoardStep]:
    one = _open_orders(now)
    c = one.c
    # an order that nobody has a task of waits since the newest line of its history
    moved = select(Event.at).where(Event.instance_id == c.id, Event.seq == c.seq).scalar_subquery()
    at_step: dict[str, Any] = {"partition_by": c.step}
    ranked = select(
        c.step, c.business_key, c.due_at, c.late, c.stopped,
        func.row_number().over(
            **at_step,
            order_by=(c.late.desc(), c.stopped.desc(), c.due_at.is_(None), c.due_at, c.started_at, c.business_key),
        ).label("place"),
        func.count().over(**at_step).label("total"),
        func.sum(c.late).over(**at_step).label("all_late"),
        func.sum(c.stopped).over(**at_step).label("all_stopped"),
        func.min(func.coalesce(c.asked_at, moved, c.started_at)).over(**at_step).label("since"),
    )  # fmt: skip
    if team is not None:
        ranked = ranked.where(c.team == team)
    if late:
        ranked = ranked.where(c.late == 1)
    wanted = search.condition() if search is not None else None
    if wanted is not None:
        found = (
            select(Instance.business_key)
            .outerjoin(shop.Order, shop.Order.number == Instance.business_key)
            .where(Instance.process_key == PROCESS, Instance.status.in_(("open", "cancelling")), wanted)
        )
        ranked = ranked.where(c.business_key.in_(found))
    row = ranked.subquery().c
    steps: dict[int, BoardStep] = {}
    for r in session.execute(select(*row).where(row.place <= PER_STEP).order_by(row.step, row.place)):
        before = steps[r.step].orders if r.step in steps else ()
        order = BoardOrder(r.business_key, r.due_at, bool(r.stopped), bool(r.late))
        steps[r.step] = BoardStep(
            int(r.total), int(r.all_late), int(r.all_stopped), r.since, (*before, order)
        )
    return steps
