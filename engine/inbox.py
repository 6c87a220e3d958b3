"""The inbox: claim, release, hand over, drafts, and what people see of one task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, or_, select
from sqlalchemy.orm import Session

from engine import forms
from engine.codec import unpack
from engine.definitions import Element
from engine.delegations import covers
from engine.errors import AlreadyDone, InvalidForm, NotAllowed, NotFound, TakenByAnother
from engine.rows import draft_changed, task_view
from engine.store.tables import Instance, Job, Task
from engine.tasklists import OPEN, TaskLists
from engine.unit import Unit
from engine.views import SYSTEM, Actor, DelegationView, TaskDetail, TaskView
from handlers.contract import FieldError, FormContext

LONGEST_NOTE = 500
"""Characters of a note to a colleague."""


class Inbox(TaskLists):
    """What a person does with a task besides completing it."""

    claims_end_after = timedelta(hours=8)
    """How long nothing may happen to a claimed task until it is released."""

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
            if not self.may_do(tx, row, to):
                raise InvalidForm([FieldError("/to", f"{to.printed_name} is not in the team {row.team}.")])
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
            if self.may_do(tx, row, actor) and row.state == "open" and row.assignee not in (None, actor.name):
                element = unit.definition.element(row.process, row.element)
                unit.event("taken_over", element, was=row.assignee, comment=note)
                self._assign(row, actor.name)
                unit.save()
                return task_view(row)
        return self.claim(task_id, actor)

    def _assign(self, row: Task, name: str | None) -> None:
        row.assignee, row.claimed_at = name, self.clock.now() if name else None
        row.revision += 1

    def release_forgotten(self, *, limit: int = 200) -> int:
        """Gives back the tasks that somebody claimed and then left alone for `claims_end_after`; returns how many.

        Saving a draft counts as doing something. The draft stays with the task.
        """
        with self.reading() as session:
            forgotten = select(Task.id).where(*self._forgotten()).order_by(Task.claimed_at).limit(limit)
            found = list(session.scalars(forgotten))
        return sum(self._release_forgotten(task_id) for task_id in found)

    def _forgotten(self) -> tuple[ColumnElement[bool], ...]:
        since = self.clock.now() - self.claims_end_after
        return (OPEN, Task.assignee.is_not(None), Task.claimed_at < since,
                or_(Task.draft_at.is_(None), Task.draft_at < since))

    def _release_forgotten(self, task_id: str) -> bool:
        with self.transaction() as tx:
            unit, row = Unit.lock_task(self, tx, SYSTEM, task_id)
            if tx.scalar(select(Task.id).where(Task.id == task_id, *self._forgotten())) is None:
                return False  # somebody came back to it at this moment
            was, hours = row.assignee, self.claims_end_after / timedelta(hours=1)
            self._assign(row, None)
            unit.event("released", unit.definition.element(row.process, row.element), was=was, idle_hours=hours)
            unit.save()
            return True

    def save_task_draft(
        self, task_id: str, actor: Actor, data: Any, *, revision: int | None = None, claim: bool = False
    ) -> TaskView:
        """Keeps what a person has typed so far, unchecked. It counts as work on the order once the task is done.

        With `revision`, the draft's revision that this builds on, DraftChanged: somebody has saved something else
        since. With `claim` a task that nobody has is taken.
        """
        forms.check_values(data, at="/data")
        with self.transaction() as tx:
            if claim:
                unit, row, element = self._open(tx, task_id, actor)
                if row.assignee is None:
                    self._assign(row, actor.name)
                    unit.event("claimed", element)
                    unit.save()
            else:
                row = self._own_row(tx, task_id, actor)
            if revision is not None and revision != row.draft_revision:
                if row.draft is not None and unpack(row.draft) == data:
                    return task_view(row)  # the answer to the same save was lost
                raise draft_changed(row)
            self._write_draft(row, actor, data)
            return task_view(row)

    def _own_row(self, tx: Session, task_id: str, actor: Actor) -> Task:
        """An open task that the actor may fill in, locked by itself: a draft is no command of its order."""
        row = tx.get(Task, task_id, with_for_update=True)
        if row is None or not self.sees_task(tx, row, actor):
            raise NotFound("There is no such task for you.")
        if row.team not in actor.teams:
            raise NotAllowed(f"This task belongs to the team {row.team}; you may look at it.")
        if row.state != "open":
            raise AlreadyDone("The task is not open any more.")
        if row.assignee not in (None, actor.name):
            raise TakenByAnother(row.assignee or "")
        return row

    def task(self, task_id: str, actor: Actor) -> TaskDetail:
        """One task with form, data, draft and instructions, or what is submitted for approval. NotFound."""
        with self.reading() as session:
            whole = (
                select(Task, Instance, _incident()).join(Instance, Instance.id == Task.instance_id)
                .where(Task.id == task_id)
            )
            found = session.execute(whole).tuples().one_or_none()
            if found is None:
                raise self.not_there(session, None, actor)
            row, instance, incident = found
            lent = self.lent_beside(session, row, actor)
            if lent is not None and not any(each.delegate == actor.name and covers(each, row) for each in lent):
                raise self.not_there(session, row, actor)
            unit = Unit(self, session, instance, self.definition_then(session, instance, row), actor, new=False)
            element = unit.definition.element(row.process, row.element)
            return self._detail(session, unit, row, element, actor, incident, lent)

    def _detail(
        self, session: Session, unit: Unit, row: Task, element: Element, actor: Actor, incident: str | None,
        lent: tuple[DelegationView, ...] | None,
    ) -> TaskDetail:
        approval = self.approval(session, unit, row, element, actor, lent) if element.is_approval else None
        is_open = row.state == "open"
        context = forms.context_of(unit, element) if is_open and approval is None else FormContext()
        schema = {} if approval else forms.schema_for(unit.definition.form(element), context)
        return TaskDetail(
            task=task_view(row), form=schema, ui=unit.definition.ui(element) if not approval else {},
            data=unpack(row.data) if row.data else dict(context.data),
            draft=unpack(row.draft) if row.draft else None,
            instructions=element.instructions or element.documentation, facts=context.facts, approval=approval,
            incident=incident, steps=unit.definition.steps_of(element), lent=lent,
        )


def _incident() -> ScalarSelect[str]:
    """What went wrong when a task was completed or a gate decided, as a column beside the task."""
    kept = (Job.task_id == Task.id, Job.kind.in_(("form", "decision")), Job.state == "dead")
    return select(Job.error).where(*kept).limit(1).scalar_subquery()
