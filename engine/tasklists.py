"""Lists of open tasks and their counts, read along the indexes of open tasks, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, defer

from engine.delegations import covered
from engine.incidents import Incidents
from engine.rows import cursor_of, read_cursor, task_view
from engine.store.tables import Task
from engine.views import Actor, DelegationView, Page, TaskView

MOST_COUNTED = 1000
"""Nobody reads a longer list to its end: a count stops here, and pages write `999+`."""
OPEN = Task.state == literal_column("'open'")
"""As the indexes of open tasks say it; a database that is given the word as a parameter does not see that they fit."""


Shelves = Mapping[str, ColumnElement[bool]] | None
"""Team → which of its tasks somebody sees; None: all of every team's."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search means: tasks of these names, and of these orders."""

    names: Sequence[str]
    """As `TaskLists.task_names` gives them."""
    orders: Sequence[str] | Callable[[Any], ColumnElement[bool]]
    """Business keys; of very many, what is asked of the column that holds one."""

    @property
    def few(self) -> bool:
        """The tasks are looked up by their orders; else they are met on the way through the list."""
        return not self.names and not callable(self.orders)

    def holds(self) -> ColumnElement[bool]:
        """Whether a task is one of them."""
        key = Task.business_key
        of_orders = self.orders(key) if callable(self.orders) else key.in_(self.orders)
        return or_(Task.name.in_(self.names), of_orders) if self.names else of_orders


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which open tasks."""

    team: str | None = None
    mine: bool = False
    order: str | None = None
    """Business key."""
    step: int | None = None
    found: Found | None = None
    """What somebody looks for."""
    overdue: bool = False
    due_before: datetime | None = None
    like: TaskView | None = None
    """Those of the same element, itself too."""
    ids: Sequence[str] | None = None
    free: bool = False
    """Forms that nobody has, or the one who asks."""


class TaskLists(Incidents):
    """The inbox as a list."""

    def tasks(
        self, actor: Actor, *, team: str | None = None, mine: bool = False, order: str | None = None,
        step: int | None = None, found: Found | None = None, overdue: bool = False, due_before: datetime | None = None,
        like: TaskView | None = None, ids: Sequence[str] | None = None, limit: int = 50, cursor: str | None = None,
    ) -> Page[TaskView]:
        """Open tasks the actor may see, soonest due first. InvalidForm: a cursor that is none."""
        wanted = Wanted(team, mine, order, step, found, overdue, due_before, like, ids)
        limit = max(1, min(limit, 200))
        after = read_cursor(cursor) if cursor is not None else None
        with self.reading() as session:
            rows = list(session.scalars(self._list(session, actor, wanted, limit + 1, after)))
        following = cursor_of(rows[limit - 1].due_at, rows[limit - 1].id) if len(rows) > limit else None
        return Page(tuple(task_view(row) for row in rows[:limit]), following)

    def next_task(self, actor: Actor, done: TaskView, wanted: Wanted) -> TaskView | None:
        """What to do after a task: the order's own next form that is the actor's to do, else the one that follows in
        the list, else the list's first. Never one that a colleague has."""
        order = Wanted(order=done.order, free=True)
        with self.reading() as session:
            place = session.execute(select(Task.due_at, Task.id).where(Task.id == done.id)).tuples().one()
            listed = replace(wanted, free=True)
            for which, after in ((order, None), (listed, place), (listed, None)):
                found = session.scalars(self._list(session, actor, which, 1, after)).first()
                if found is not None:
                    return task_view(found)
        return None

    def task_counts(
        self, actor: Actor, wanted: Wanted | None = None, *, day_ends: datetime | None = None
    ) -> dict[str, int]:
        """Numbers of open tasks, each at most `MOST_COUNTED`: `all`, `mine`, `today`, `late`, and `team:…` for each
        team, in one statement.

        They count what `wanted` names by team, step and search; those of the teams count every team. Without step and
        search, `inbox` is the number of all that the actor sees.
        """
        wanted = wanted or Wanted()
        now = self.clock.now()
        today = day_ends or (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        late = and_(Task.has_due, Task.due_at < now)
        soon = and_(Task.has_due, Task.due_at < today)
        own = Task.assignee == actor.name
        if wanted.found is not None:
            return self._searched_counts(actor, wanted, own, soon, late)
        return self._capped_counts(actor, wanted, own, soon, late)

    def shelves(self, actor: Actor, lent: Sequence[DelegationView] | None = None) -> Shelves:
        """What the actor sees now, team by team; None for who sees all. At most one statement, none where it is known
        what is `lent` to them; what is asked with it
        (`inbox_number`, `engine.queue.queue_columns`) asks none."""
        with self.reading() as session:
            return self._shelves(session, actor, lent)

    def _capped_counts(self, actor: Actor, wanted: Wanted, own: Any, soon: Any, late: Any) -> dict[str, int]:
        at_step = [Task.step == wanted.step] if wanted.step is not None else []
        with self.reading() as session:
            shelves = self._shelves(session, actor)
            listed = shelves
            if listed is None:
                listed = {team: Task.team == team for team, works in (self.working_teams() or {}).items() if works}
            chosen = _of(shelves, wanted.team)
            asked = {f"team:{team}": _capped(shelf, *at_step) for team, shelf in listed.items()}
            asked["mine"] = _capped(own, *on_any(chosen), *at_step)
            for name, what in (("all", []), ("today", [soon]), ("late", [late])):
                if chosen is None:
                    asked[name] = _capped(*what, *at_step)
                else:
                    asked |= {f"{name}:{team}": _capped(shelf, *what, *at_step) for team, shelf in chosen.items()}
            found = dict(zip(asked, session.execute(select(*asked.values())).one(), strict=True))
        if chosen is not None:
            for name in ("all", "today", "late"):
                found[name] = sum(found.pop(f"{name}:{team}") for team in chosen)
        if wanted.step is None and (shelves is not None or wanted.team is None):
            found["inbox"] = found["all"] if shelves is None else sum(found[f"team:{team}"] for team in shelves)
        return _as_told(found)

    def task_names(self, q: str) -> tuple[str, ...]:
        """The names of open tasks that hold a text, in any case. There are few names, however many tasks: each is
        looked up from the one before it, along their index."""
        first = select(func.min(Task.name).label("name")).where(OPEN).cte("names", recursive=True)
        after = select(func.min(Task.name)).where(OPEN, Task.name > first.c.name).scalar_subquery()
        names = first.union_all(select(after).where(first.c.name.is_not(None)))
        with self.reading() as session:
            known = session.scalars(select(names.c.name)).all()
        return tuple(name for name in known if name and q.casefold() in name.casefold())

    def _searched_counts(self, actor: Actor, wanted: Wanted, own: Any, soon: Any, late: Any) -> dict[str, int]:
        """Of each team the soonest that were found, as many as are counted: the late ones and those of today are among
        them. Of few orders, all their tasks."""
        assert wanted.found is not None
        conditions = [OPEN, *self._conditions(actor, Wanted(step=wanted.step, found=wanted.found))]
        flags = [case((what, 1), else_=0).label(name) for name, what in (("today", soon), ("late", late))]
        found = select(Task.team, Task.due_at, Task.id, *flags).where(*conditions)
        with self.reading() as session:
            shelves = self._shelves(session, actor)
            mine = _capped(own, *on_any(_of(shelves, wanted.team)), *conditions[1:])
            if wanted.found.few:
                legs = [found.where(*on_any(shelves))]
            else:
                if shelves is None:
                    shelves = {team: Task.team == team for team, works in (self.working_teams() or {}).items() if works}
                each = list(shelves.values()) or [false()]
                legs = [found.where(shelf).order_by(Task.due_at, Task.id).limit(MOST_COUNTED) for shelf in each]
            rows = union_all(*(select(leg.subquery()) for leg in legs)).subquery()
            sums = (func.count(), func.sum(rows.c.today), func.sum(rows.c.late))
            counted = session.execute(select(rows.c.team, mine, *sums).group_by(rows.c.team)).tuples().all()
        told = {"all": 0, "mine": counted[0][1] if counted else 0, "today": 0, "late": 0}
        for team, _, *numbers in counted:
            told[f"team:{team}"] = int(numbers[0])
            if wanted.team in (None, team):
                for name, number in zip(("all", "today", "late"), numbers, strict=True):
                    told[name] += int(number)
        return _as_told(told)

    def _list(
        self, session: Session, actor: Actor, wanted: Wanted, limit: int, after: tuple[datetime, str] | None
    ) -> Select[tuple[Task]]:
        """The tasks in their order. Each team's soonest are read along its index, and put together."""
        conditions = [OPEN, *self._conditions(actor, wanted)]
        if after is not None:
            at, last = after
            conditions += [Task.due_at >= at, or_(Task.due_at > at, Task.id > last)]
        shelves = _of(self._shelves(session, actor), wanted.team)
        each: list[list[ColumnElement[bool]]]
        few = wanted.found is not None and wanted.found.few
        if shelves is None or wanted.mine or wanted.order is not None or wanted.ids is not None or few:
            each = [on_any(shelves)]
        else:
            each = [[shelf] for shelf in shelves.values()] or [[false()]]
        soonest = select(Task.id, Task.due_at).order_by(Task.due_at, Task.id).limit(limit)
        legs = [soonest.where(*conditions, *which).subquery() for which in each]
        found = legs[0] if len(legs) == 1 else union_all(*(select(leg.c.id, leg.c.due_at) for leg in legs)).subquery()
        return (
            select(Task).join(found, found.c.id == Task.id).order_by(found.c.due_at, found.c.id).limit(limit)
            .options(defer(Task.draft), defer(Task.data))
        )

    def _shelves(
        self, session: Session, actor: Actor, known: Sequence[DelegationView] | None = None
    ) -> dict[str, ColumnElement[bool]] | None:
        """What the actor sees of each team: all of their own teams', and the gates that are delegated to them now. For
        who sees all, None. One statement."""
        if actor.sees_all:
            return None
        lent: dict[str, list[ColumnElement[bool]]] = {}
        for each in self.lent_to(session, actor.name) if known is None else known:
            if each.delegate != actor.name:
                continue
            lent.setdefault(each.team, []).append(covered(each))
        own: dict[str, ColumnElement[bool]] = {team: Task.team == team for team in sorted(actor.teams)}
        return {**{team: and_(Task.team == team, or_(*gates)) for team, gates in lent.items()}, **own}

    def _visible(self, session: Session, actor: Actor) -> list[ColumnElement[bool]]:
        """The same as one condition on tasks."""
        return on_any(self._shelves(session, actor))

    def _conditions(self, actor: Actor, wanted: Wanted) -> list[ColumnElement[bool]]:
        """What is asked of a task besides its team."""
        found: list[ColumnElement[bool]] = []
        if wanted.mine:
            found.append(Task.assignee == actor.name)
        if wanted.order is not None:
            found.append(Task.business_key == wanted.order)
        if wanted.ids is not None:
            found.append(Task.id.in_(wanted.ids))
        if wanted.like is not None:
            like = wanted.like
            found += [Task.team == like.team, Task.process == like.process, Task.element == like.element]
        if wanted.step is not None:
            found.append(Task.step == wanted.step)
        if wanted.found is not None:
            found.append(wanted.found.holds())
        if wanted.overdue:
            found.append(and_(Task.has_due, Task.due_at < self.clock.now()))
        if wanted.due_before is not None:
            found.append(and_(Task.has_due, Task.due_at < wanted.due_before))
        if wanted.free:
            found += [Task.kind == "form", or_(Task.assignee.is_(None), Task.assignee == actor.name)]
            if actor.sees_all:
                found.append(false())  # who sees all does none
        return found

    def order_tasks(self, business_key: str) -> list[TaskView]:
        """Every task of an order, open ones first, then newest; all staff may read orders."""
        statement = (
            select(Task).where(Task.business_key == business_key)
            .order_by(case((Task.state == "open", 0), else_=1), Task.created_at.desc(), Task.id)
        )
        with self.reading() as session:
            return [task_view(row) for row in session.scalars(statement)]

    def open_tasks(self, business_keys: Sequence[str]) -> dict[str, list[TaskView]]:
        """The open tasks of several orders, in one statement."""
        found: dict[str, list[TaskView]] = {key: [] for key in business_keys}
        if business_keys:
            statement = select(Task).where(Task.business_key.in_(business_keys), Task.state == "open")
            with self.reading() as session:
                for row in session.scalars(statement.order_by(Task.due_at)):
                    found[row.business_key].append(task_view(row))
        return found


def inbox_number(shelves: Shelves) -> ColumnElement[int]:
    """How many open tasks lie on these shelves, as a column; each shelf counts at most `MOST_COUNTED`."""
    legs = [_capped()] if shelves is None else [_capped(each) for each in shelves.values()]
    return sum(legs[1:], start=literal(0) + legs[0]) if legs else literal(0)


def _of(shelves: Shelves, team: str | None) -> Shelves:
    """The one shelf of a team, if there is one for who asks."""
    if team is None:
        return shelves
    if shelves is None:
        return {team: Task.team == team}
    return {team: shelves[team]} if team in shelves else {}


def on_any(shelves: Shelves) -> list[ColumnElement[bool]]:
    """On any of the shelves."""
    return [] if shelves is None else [or_(false(), *shelves.values())]


def _capped(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """A count that reads no further than `MOST_COUNTED`."""
    some = select(literal_column("1")).select_from(Task).where(OPEN, *conditions).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _as_told(found: Mapping[str, int]) -> dict[str, int]:
    return {name: min(int(number), MOST_COUNTED) for name, number in found.items()}
