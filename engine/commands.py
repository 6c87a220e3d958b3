"""The commands that move an order: start, complete, deliver a message, cancel. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine import forms
from engine.codec import pack, unpack
from engine.definitions import Element
from engine.delegations import Delegations
from engine.errors import (
    AlreadyDone,
    Conflict,
    DatabaseTrouble,
    EngineError,
    InvalidForm,
    NotAllowed,
    NotFound,
    StaleRevision,
    TakenByAnother,
    TooLate,
)
from engine.gate_variables import brought
from engine.operations import describe
from engine.rows import authors, draft_changed, instance_view, task_view
from engine.store.once import hold_key, insert_once
from engine.store.tables import Instance, Job, Message, Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor, InstanceView, TaskView
from handlers.contract import FieldError, WaybillError

MAX_PAYLOAD = 64 * 1024
"""The largest message payload that is stored, as JSON."""
LONGEST_TEXT = 2000
"""Characters of a note on an order."""


class Commands(Delegations):
    """Start, complete, deliver, cancel."""

    def start(
        self, process: str, business_key: str, actor: Actor, *, submit: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None, session: Session | None = None,
    ) -> tuple[InstanceView, bool]:
        """Starts an instance; the same business key again returns the one that is there and False.

        With `submit` the first user task is completed with it in the same transaction.
        InvalidForm: the submitted form is refused and nothing is stored. NotFound: no such process.
        """
        try:
            with self.transaction(session) as tx:
                return self._start(tx, process, business_key, actor, submit, variables)
        except IntegrityError:
            if session is not None:
                raise
            with self.transaction() as tx:  # started twice at once: now the other one is there
                return self._start(tx, process, business_key, actor, submit, variables)

    def _start(
        self, tx: Session, process: str, business_key: str, actor: Actor, submit: Mapping[str, Any] | None,
        variables: Mapping[str, Any] | None,
    ) -> tuple[InstanceView, bool]:
        known = tx.scalars(select(Instance).where(Instance.business_key == business_key)).one_or_none()
        if known is not None:
            return instance_view(known, self.library.get(tx, known.version_id)), False
        definition = self.library.newest(tx, process)
        if faults := brought(definition, process, variables or {}):
            raise InvalidForm([FieldError(f"/{name}", why) for name, why in faults])
        unit = Unit.create(self, tx, definition, business_key, actor)
        unit.variables.update(variables or {})
        unit.event("started", version=definition.version)
        unit.advance()
        unit.save()
        if submit is not None:
            self._submit_first(tx, unit, actor, submit)
        if unit.run.waiting() and hold_key(tx, business_key):
            unit.advance()  # a message that came just now has not seen this order, nor this order the message
            unit.save()
        row = tx.scalars(
            select(Instance).where(Instance.id == unit.row.id).execution_options(populate_existing=True)
        ).one()
        return instance_view(row, definition), True

    def _submit_first(self, tx: Session, unit: Unit, actor: Actor, submit: Mapping[str, Any]) -> None:
        first = next(iter(unit.run.open_tasks()), None)
        if first is None:
            raise EngineError("The process opens no user task that could take what was submitted.")
        self._complete(unit, tx.get_one(Task, first.id), first.element, actor, submit)
        unit.advance()
        unit.save()

    def complete(
        self, task_id: str, actor: Actor, data: Mapping[str, Any], *, revision: int | None = None,
        draft_revision: int | None = None,
    ) -> TaskView:
        """Completes a user task with a form; claims it if nobody has.

        InvalidForm, TakenByAnother, AlreadyDone, StaleRevision, DraftChanged (somebody saved another draft after
        `draft_revision`), NotAllowed, NotFound. When an operation fails in a
        way that nobody foresaw, the input is kept as the task's draft, an incident is made, and the task stays open.
        """
        try:
            return self.command(lambda tx: self._complete_task(tx, task_id, actor, data, revision, draft_revision))
        except (InvalidForm, NotFound, NotAllowed, Conflict, DatabaseTrouble):
            raise
        except Exception as error:  # noqa: BLE001 - the person's input must survive whatever went wrong
            return self._keep(task_id, actor, data, sentence(error))

    def _complete_task(
        self, tx: Session, task_id: str, actor: Actor, data: Mapping[str, Any], revision: int | None,
        draft_revision: int | None,
    ) -> TaskView:
        unit, row, element = self._open(tx, task_id, actor)
        if revision is not None and revision != row.revision:
            raise StaleRevision("The task was changed meanwhile. Load it again; your input is kept.")
        if draft_revision not in (None, row.draft_revision) and (row.draft is None or unpack(row.draft) != data):
            raise draft_changed(row)
        if element.is_approval:
            raise InvalidForm([FieldError("/", "This is an approval: decide it, it has no form.")])
        self._complete(unit, row, element, actor, data)
        unit.advance()
        unit.save()
        return task_view(row)

    def _complete(
        self, unit: Unit, row: Task, element: Element, actor: Actor, data: Mapping[str, Any]
    ) -> None:
        forms.check_values(data)
        context = forms.context_of(unit, element)
        schema = forms.schema_for(unit.definition.form(element), context)
        forms.check(schema, data)
        kept = forms.kept(schema, data)
        unit.said.clear()
        unit.submit(element, data, kept, actor.name)
        self._close(unit, row, actor, pack(kept))
        others = [name for name in authors(row) if name != actor.name]
        unit.completed(element, actor.name, **({"draft_by": others} if others else {}),
                       **({"comment": " ".join(unit.said)} if unit.said else {}))
        unit.run.complete_user_task(row.id)

    def _write_draft(self, row: Task, actor: Actor, data: Any) -> None:
        row.draft, row.draft_revision = pack(data), row.draft_revision + 1
        row.draft_by, row.draft_at = actor.name, self.clock.now()
        row.draft_authors = "\n".join(sorted({*authors(row), actor.name}))

    def _close(self, unit: Unit, row: Task, actor: Actor, data: bytes | None) -> None:
        """Marks a task's row as done by a person."""
        now = self.clock.now()
        row.state, row.completed_by, row.completed_at = "done", actor.name, now
        row.assignee = row.assignee or actor.name
        row.claimed_at = row.claimed_at or now
        row.data, row.draft, row.revision = data, None, row.revision + 1
        unit.run  # noqa: B018 - loads the workflow before the task is known as done
        unit.done_tasks.add(row.id)

    def _open(self, tx: Session, task_id: str, actor: Actor) -> tuple[Unit, Task, Element]:
        """Locks the instance of an open task that the actor may do; of a gate also whoever signs it for another."""
        unit, row = self._locked_task(tx, task_id, actor)
        if not self.may_do(tx, row, actor):
            raise NotAllowed(f"This task belongs to the team {row.team}; you may look at it.")
        if row.state != "open":
            raise AlreadyDone(f"The task is done, by {row.completed_by}." if row.completed_by
                              else "The task was withdrawn: the order went another way.", row.completed_by)
        if row.assignee not in (None, actor.name):
            raise TakenByAnother(row.assignee or "")
        return unit, row, unit.definition.element(row.process, row.element)

    def _locked_task(self, tx: Session, task_id: str, actor: Actor) -> tuple[Unit, Task]:
        """Locks the instance of a task that the actor may see, then reads the task as it is now. NotFound."""
        unit, row = Unit.lock_task(self, tx, actor, task_id)
        if not self.sees_task(tx, row, actor):
            raise self.not_there(tx, row, actor)
        return unit, row

    def _keep(self, task_id: str, actor: Actor, data: Mapping[str, Any], error: str) -> TaskView:
        """Keeps what a person submitted when completing failed unforeseen: draft, incident, task still open."""
        with self.transaction() as tx:
            unit, row, element = self._open(tx, task_id, actor)
            row.assignee = actor.name
            self._write_draft(row, actor, dict(data))
            row.claimed_at = row.claimed_at or self.clock.now()
            row.revision += 1
            self._withdraw_kept(tx, task_id)
            unit.incident("form", element, key=f"{task_id}:form", task_id=task_id, error=error,
                          operation=element.properties.get("onComplete"),
                          arguments={"data": dict(data), "actor": actor.name, "teams": sorted(actor.teams)})
            unit.save()
            return task_view(row)

    def _withdraw_kept(self, tx: Session, task_id: str, *, by: str | None = None) -> None:
        """Ends the jobs that keep what was submitted before, also one that is being tried again: the newest counts.

        `by` names the person of whom alone they are ended: every approver has a decision of their own.
        """
        kept = select(Job).where(
            Job.task_id == task_id, Job.kind.in_(("form", "decision")), Job.state.in_(("ready", "leased", "dead"))
        )
        for job in tx.scalars(kept.with_for_update()):
            if by is None or unpack(job.arguments)["actor"] == by:
                job.state, job.updated_at = "withdrawn", self.clock.now()

    def deliver(
        self, name: str, business_key: str, payload: Mapping[str, Any], *, source: str, message_id: str,
        session: Session | None = None,
    ) -> bool:
        """Stores a message, then gives it to whoever waits; one that comes too early is kept.

        Returns False when a message of this source and id was stored before: nothing happens again.
        """
        forms.check_values(payload, limit=MAX_PAYLOAD, at="/payload")
        message = {"source": source, "message_id": message_id, "name": name, "correlation": business_key,
                   "payload": pack(payload), "received_at": self.clock.now()}
        if session is not None:
            return self._take(session, message)
        if self._is_stored(source, message_id):  # senders repeat themselves: that takes no lock and writes nothing
            return False
        try:
            return self.command(lambda tx: self._take(tx, message))
        except (NotFound, Conflict, DatabaseTrouble):
            raise
        except Exception as error:  # noqa: BLE001 - whoever sent it has done its part
            return self._keep_message(message, sentence(error))

    def _is_stored(self, source: str, message_id: str) -> bool:
        known = select(Message.id).where(Message.source == source, Message.message_id == message_id)
        with self.reading() as session:
            return session.execute(known).first() is not None

    def _take(self, tx: Session, message: Mapping[str, Any]) -> bool:
        """Stores a message and gives it to whoever waits; False when it was stored before."""
        if not self._store(tx, message):
            return False
        self._match(tx, message["name"], message["correlation"])
        return True

    def _store(self, tx: Session, message: Mapping[str, Any]) -> bool:
        """Stores a message; False when it was stored before, also by somebody else at this moment."""
        return insert_once(tx, Message, message)

    def _match(self, tx: Session, name: str, business_key: str) -> None:
        """Gives what is stored to whoever waits for it.

        The instance is locked before it is asked what it awaits: a command that is under way may just be coming to a
        catch, and has looked for messages already. So may an order that is just being started, and is not seen yet.
        """
        try:
            unit = Unit.lock(self, tx, SYSTEM, key=business_key)
        except NotFound:
            if not hold_key(tx, business_key):
                return
            try:
                unit = Unit.lock(self, tx, SYSTEM, key=business_key)
            except NotFound:
                return
        if f" {name} " in unit.row.awaits:
            unit.advance()
            unit.save()

    def _keep_message(self, message: Mapping[str, Any], error: str) -> bool:
        """Stores a message although taking it failed unforeseen. False when it was stored before."""
        with self.transaction() as tx:
            if not self._store(tx, message):
                return False
            unit = Unit.lock(self, tx, SYSTEM, key=message["correlation"])
            self._not_taken(unit, message["name"], error)
            unit.save()
        return True

    def _not_taken(self, unit: Unit, name: str, error: str) -> None:
        """Makes an incident of a message that could not be taken; none when nobody waits for it any more."""
        catch = next((waiting for waiting in unit.run.waiting() if waiting.name == name), None)
        if catch is not None:
            unit.incident("message", catch.element, key=f"{catch.task_id}:message", task_id=catch.task_id, error=error)

    def cancel(self, business_key: str, actor: Actor, reason: str) -> tuple[InstanceView, bool]:
        """Cancels an order: its tokens end, and the undo process runs. Again changes nothing and returns False.

        TooLate once an element marked `commits` has completed, or when the order has ended.
        """
        forms.check_values(reason, at="/reason")
        with self.transaction() as tx:
            unit = Unit.lock(self, tx, actor, key=business_key)
            if unit.status in ("cancelling", "cancelled"):
                return instance_view(unit.row, unit.definition), False
            if unit.status == "closed":
                raise TooLate(f"{business_key} is closed.")
            if unit.committed:
                raise TooLate(f"{business_key} was picked up and can no longer be cancelled.")
            unit.event("cancelled", reason=reason)
            unit.begin_cancellation(reason)
            unit.save()
            row = tx.scalars(select(Instance).where(Instance.id == unit.row.id)).one()
            return instance_view(row, unit.definition), True

    def note(self, business_key: str, actor: Actor, text: str) -> None:
        """Writes what a person has to say of an order into its history, also of one that has ended. It moves nothing.

        InvalidForm: nothing is said, or too much. NotFound.
        """
        forms.check_values(text, at="/text")
        text = text.strip()
        if not 0 < len(text) <= LONGEST_TEXT:
            raise InvalidForm([FieldError("/text", f"Write something, in at most {LONGEST_TEXT:,} characters.")])
        with self.transaction() as tx:
            unit = Unit.lock(self, tx, actor, key=business_key)
            unit.event("noted", comment=text)
            unit.save()

    def repeat_form(self, tx: Session, job: Job, arguments: Mapping[str, Any]) -> None:
        """Completes a task again with the input that was kept when completing it failed."""
        assert job.task_id is not None
        actor = Actor(arguments["actor"], frozenset(arguments["teams"]))
        unit, row, element = self._open(tx, job.task_id, actor)
        self._complete(unit, row, element, actor, arguments["data"])
        unit.advance()
        unit.save()


def sentence(error: Exception) -> str:
    """An unforeseen failure as an incident shows it; errors of our own are sentences already."""
    return str(error) if isinstance(error, WaybillError) else describe(error)
