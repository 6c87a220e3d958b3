"""The inbox: claim, release, hand over, drafts, and what people see of their tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from engine import forms
from engine.codec import pack, unpack
from engine.definitions import Element
from engine.errors import AlreadyDone, InvalidForm, NotAllowed, NotFound, TakenByAnother
from engine.incidents import Incidents
from engine.rows import cursor_of, read_cursor, task_view
from engine.store.tables import Instance, Job, Task
from engine.unit import Unit
from engine.views import Actor, Page, TaskDetail, TaskView
from handlers.contract import FieldError, FormContext

LONGEST_NOTE = 500
"""Characters of a note to a colleague."""


class Inbox(Incidents):
    """What a person does with a task besides completing it, and the lists."""

    def claim(self, task_id: str, actor: Actor) -> TaskView:
        """Takes a task. Taking one's own again changes nothing. TakenByAnother names who has it."""
        with self.transaction() as tx:
            unit, row, element = self._open(tx, task_id, actor)
            if row.assignee is None:
                self._assign(row, actor.name)
                unit.event("claimed", element)
                unit.save()
            return task_view(row)

    def release(self, task_id: str, actor: Actor) -> TaskView:
        """Gives a task back to its team. The draft stays with it."""
        with self.transaction() as tx:
            unit, row, element = self._open(tx, task_id, actor)
            if row.assignee is not None:
                self._assign(row, None)
                unit.event("released", element)
                unit.save()
            return task_view(row)

    def assign(self, task_id: str, actor: Actor, to: Actor) -> TaskView:
        """Hands a task to a person of its team. The person who has it may, and so may `owner` and `admin`."""
        with self.transaction() as tx:
            unit, row = self._locked_task(tx, task_id, actor)
            if row.state != "open":
                raise AlreadyDone("The task is not open any more.")
            if row.assignee not in (None, actor.name) and not actor.sees_all:
                raise TakenByAnother(row.assignee or "")
            if row.team not in to.teams:
                raise InvalidForm([FieldError("/to", f"{to.name} is not in the team {row.team}.")])
            self._assign(row, to.name)
            unit.event("assigned", unit.definition.element(row.process, row.element), to=to.name)
            unit.save()
            return task_view(row)

    def take_over(self, task_id: str, actor: Actor, note: str) -> TaskView:
        """Takes a task from the colleague who has it; the note is kept in the history, and what was typed stays.

        A task that nobody has is claimed. InvalidForm: no note, or one that is too long.
        """
        forms.check_values(note, at="/note")
        note = note.strip()
        if not 0 < len(note) <= LONGEST_NOTE:
            raise InvalidForm([FieldError("/note", f"Say why, in at most {LONGEST_NOTE} characters.")])
        with self.transaction() as tx:
            unit, row = self._locked_task(tx, task_id, actor)
            if row.team in actor.teams and row.state == "open" and row.assignee not in (None, actor.name):
                element = unit.definition.element(row.process, row.element)
                unit.event("taken_over", element, was=row.assignee, comment=note)
                self._assign(row, actor.name)
                unit.save()
                return task_view(row)
        return self.claim(task_id, actor)

    def _assign(self, row: Task, name: str | None) -> None:
        row.assignee, row.claimed_at = name, self.clock.now() if name else None
        row.revision += 1

    def save_task_draft(self, task_id: str, actor: Actor, data: Any) -> TaskView:
        """Keeps what a person has typed so far, unchecked. Does not count as work on the order."""
        forms.check_values(data, at="/data")
        with self.transaction() as tx:
            row = tx.get(Task, task_id, with_for_update=True)
            if row is None or not (actor.sees_all or row.team in actor.teams):
                raise NotFound("There is no such task for you.")
            if row.team not in actor.teams:
                raise NotAllowed(f"This task belongs to the team {row.team}; you may look at it.")
            if row.state != "open":
                raise AlreadyDone("The task is not open any more.")
            if row.assignee not in (None, actor.name):
                raise TakenByAnother(row.assignee or "")
            row.draft = pack(data)
            return task_view(row)

    # --- lists --------------------------------------------------------------------------------------------------------

    def tasks(
        self, actor: Actor, *, team: str | None = None, mine: bool = False, order: str | None = None,
        step: int | None = None, q: str | None = None, overdue: bool = False, due_before: datetime | None = None,
        like: TaskView | None = None, orders: Sequence[str] | None = None, limit: int = 50, cursor: str | None = None,
    ) -> Page[TaskView]:
        """Open tasks the actor may see, soonest due first. `orders` names further orders that `q` found; `like`: those
        of the same element, itself too."""
        conditions = [Task.state == "open", *self._visible(actor)]
        if team is not None:
            conditions.append(Task.team == team)
        if mine:
            conditions.append(Task.assignee == actor.name)
        if order is not None:
            conditions.append(Task.business_key == order)
        if like is not None:
            conditions += [Task.team == like.team, Task.process == like.process, Task.element == like.element]
        if step is not None:
            conditions.append(Task.step == step)
        if q:
            text = f"%{q.lower()}%"
            conditions.append(or_(func.lower(Task.business_key).like(text), func.lower(Task.name).like(text),
                                  Task.business_key.in_(orders or ())))
        if overdue:
            conditions.append(and_(Task.has_due, Task.due_at < self.clock.now()))
        if due_before is not None:
            conditions.append(and_(Task.has_due, Task.due_at < due_before))
        if cursor is not None:
            at, last = read_cursor(cursor)
            conditions.append(or_(Task.due_at > at, and_(Task.due_at == at, Task.id > last)))
        limit = max(1, min(limit, 200))
        statement = select(Task).where(*conditions).order_by(Task.due_at, Task.id).limit(limit + 1)
        with self.reading() as session:
            rows = list(session.scalars(statement))
        following = cursor_of(rows[limit - 1].due_at, rows[limit - 1].id) if len(rows) > limit else None
        return Page(tuple(task_view(row) for row in rows[:limit]), following)

    def task_counts(self, actor: Actor, *, day_ends: datetime | None = None) -> dict[str, int]:
        """Numbers of open tasks: `all`, `mine`, `today`, `late`, and `team:…` for each team."""
        now = self.clock.now()
        today = day_ends or (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        mine = func.sum(case((Task.assignee == actor.name, 1), else_=0))
        late = func.sum(case((and_(Task.has_due, Task.due_at < now), 1), else_=0))
        due = func.sum(case((and_(Task.has_due, Task.due_at < today), 1), else_=0))
        statement = (
            select(Task.team, func.count(), mine, due, late)
            .where(Task.state == "open", *self._visible(actor)).group_by(Task.team)
        )
        counts = {"all": 0, "mine": 0, "today": 0, "late": 0}
        with self.reading() as session:
            for team, total, own, soon, over in session.execute(statement):
                counts[f"team:{team}"] = total
                for name, number in (("all", total), ("mine", own), ("today", soon), ("late", over)):
                    counts[name] += int(number or 0)
        return counts

    @staticmethod
    def _visible(actor: Actor) -> list[ColumnElement[bool]]:
        return [] if actor.sees_all else [Task.team.in_(sorted(actor.teams) or [""])]

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

    def task(self, task_id: str, actor: Actor) -> TaskDetail:
        """One task with form, data, draft and instructions, or what is submitted for approval. NotFound."""
        with self.reading() as session:
            row = session.get(Task, task_id)
            if row is None or not (actor.sees_all or row.team in actor.teams):
                raise NotFound("There is no such task for you.")
            instance = session.get_one(Instance, row.instance_id)
            unit = Unit(self, session, instance, self.definition_then(session, instance, row), actor, new=False)
            element = unit.definition.element(row.process, row.element)
            return self._detail(session, unit, row, element, actor)

    def _detail(self, session: Session, unit: Unit, row: Task, element: Element, actor: Actor) -> TaskDetail:
        approval = self.approval(session, unit, row, element, actor) if element.is_approval else None
        is_open = row.state == "open"
        context = forms.context_of(unit, element) if is_open and approval is None else FormContext()
        schema = {} if approval else forms.schema_for(unit.definition.form(element), context)
        incident = session.execute(
            select(Job.error)
            .where(Job.task_id == row.id, Job.kind.in_(("form", "decision")), Job.state == "dead").limit(1)
        ).scalar_one_or_none()
        return TaskDetail(
            task=task_view(row), form=schema, ui=unit.definition.ui(element) if not approval else {},
            data=unpack(row.data) if row.data else dict(context.data),
            draft=unpack(row.draft) if row.draft else None,
            instructions=element.instructions or element.documentation, facts=context.facts, approval=approval,
            incident=incident, steps=unit.definition.steps_of(element),
        )
