"""The unit of work of one command: the locked instance, its workflow in memory, and everything to be saved with it.

lock the instance → load its state → change one task → run to the next wait states → save
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, func, insert, not_, or_, select, update
from sqlalchemy.orm import Session

from engine import audit
from engine.base import note_due
from engine.codec import pack, unpack
from engine.definitions import Definition, Element
from engine.errors import Conflict, NotFound
from engine.expressions import parse_timer
from engine.operations import OperationCalls
from engine.runtime import OpenTask, Run
from engine.store.tables import Base, Event, Instance, Job, Message, Task
from engine.views import SYSTEM, Actor
from handlers.contract import USUAL_RETRY

if TYPE_CHECKING:
    from engine.base import EngineBase

NO_DUE = timedelta(days=365)
_BEGUN = or_(Job.attempts > 0, Job.result.is_not(None))
"""Operations that may have acted outside. An attempt that the database spoilt does not count, its answer is kept."""


class Unit(OperationCalls):
    """One command on one instance. Everything it collects is written by `save`, in one go."""

    def __init__(
        self, engine: EngineBase, session: Session, row: Instance, definition: Definition, actor: Actor, *, new: bool
    ) -> None:
        self.engine, self.session, self.row, self.definition, self.actor = engine, session, row, definition, actor
        self._new = new
        self.variables: dict[str, Any] = unpack(row.variables) if row.variables else {}
        self.visits: dict[str, int] = unpack(row.visits) if row.visits else {}
        self.status, self.process, self.committed = row.status, row.process, row.committed
        self.cancel_reason, self.step, self.step_name = row.cancel_reason, row.step, row.step_name
        self.seq, self.head = row.seq, row.head
        self.ended_at = row.ended_at
        self.jobs: list[dict[str, Any]] = []
        self.reason: str | None = None
        """Why this command leaves the usual way; user tasks that it opens say so."""
        self.comment: str | None = None
        self.said: list[str] = []
        """What the operation of the form that is being completed has to say of it, for the history."""
        """The reason a person gave in this command; an end event that cancels quotes it."""
        self._known = dict(self.variables)
        self._events: list[dict[str, Any]] = []
        self.done_tasks: set[str] = set()
        """User tasks that a person completed in this command."""
        self.told: set[str] = set()
        """Events on the diagram whose cause (message, timer, refusal) stands in the history already."""
        self._ending: Element | None = None
        self._run: Run | None = None
        self._open_before: dict[str, OpenTask] = {}
        self._timers_before: set[tuple[str, str, datetime]] = set()
        self._live_before: set[str] = set()

    # --- opening ----------------------------------------------------------------------------------------------------

    @classmethod
    def lock(
        cls, engine: EngineBase, session: Session, actor: Actor, *, key: str | None = None, id_: str | None = None,
        reading: bool = False,
    ) -> Unit:
        """Locks an instance by business key or id; with `reading` it is only looked at. NotFound."""
        condition = Instance.business_key == key if key is not None else Instance.id == id_
        statement = select(Instance).where(condition).execution_options(populate_existing=True)
        row = session.scalars(statement if reading else statement.with_for_update()).one_or_none()
        if row is None:
            raise NotFound(f"There is no order {key}." if key else "That instance is not there.")
        return cls(engine, session, row, engine.library.get(session, row.version_id), actor, new=False)

    @classmethod
    def lock_task(cls, engine: EngineBase, session: Session, actor: Actor, task_id: str) -> tuple[Unit, Task]:
        """Locks the instance of a task, and the task, which is then as it is now. NotFound."""
        statement = (
            select(Instance, Task).join(Task, Task.instance_id == Instance.id).where(Task.id == task_id)
            .with_for_update().execution_options(populate_existing=True)
        )
        found = session.execute(statement).one_or_none()
        if found is None:
            raise NotFound("There is no such task for you.")
        row, task = found.tuple()
        return cls(engine, session, row, engine.library.get(session, row.version_id), actor, new=False), task

    @classmethod
    def create(cls, engine: EngineBase, session: Session, definition: Definition, key: str, actor: Actor) -> Unit:
        """A new instance at its start event, not yet advanced."""
        now = engine.clock.now()
        row = Instance(
            id=str(uuid.uuid4()), process_key=definition.key, business_key=key, version_id=definition.version_id,
            process=definition.key, status="open", revision=0, state=b"", variables=b"", visits=b"", committed=False,
            cancel_reason=None, step=None, step_name=None, awaits="", seq=0, head=audit.GENESIS, started_at=now,
            ended_at=None,
        )
        unit = cls(engine, session, row, definition, actor, new=True)
        unit._run = Run.start(definition, definition.key, unit)
        return unit

    @property
    def run(self) -> Run:
        """The workflow; loaded when first needed."""
        if self._run is None:
            self._run = Run.load(self.definition, self.process, self.row.state, self.engine.codec, self)
            self._open_before = {task.id: task for task in self._run.open_tasks()}
            self._timers_before = {timer.key for timer in self._run.timers()}
            self._live_before = self._run.live_ids()
        return self._run

    def now(self) -> datetime:
        return self.engine.clock.now()

    # --- history ----------------------------------------------------------------------------------------------------

    def event(
        self, kind: str, element: Element | None = None, *, actor: str | None = None, **detail: Any
    ) -> None:
        """Adds a line to the history, with the variables that changed since the line before."""
        changed = {
            name for name in self.variables.keys() | self._known.keys()
            if self.variables.get(name) is not self._known.get(name)
        }
        before = {name: self._known[name] for name in sorted(changed) if name in self._known}
        after = {name: self.variables[name] for name in sorted(changed) if name in self.variables}
        self._known = dict(self.variables)
        self.seq += 1
        row = {
            "instance_id": self.row.id, "seq": self.seq, "at": self.now(), "actor": actor or self.actor.name,
            "kind": kind, "process": self.process, "element": element.id if element else None,
            "name": element.name if element else None, "step": element.step if element else None,
            "body": audit.body(detail, before, after), "previous": self.head,
        }
        self.head = row["hash"] = audit.chain_hash(self.row.id, row)
        self._events.append(row)

    def history(self) -> dict[str, Any]:
        """The chain as it stands in this command, for operations that keep evidence."""
        stored = [] if self._new else audit.events_of(self.session, self.row.id)
        events = [{c: getattr(e, c) for c in _EVENT_COLUMNS} for e in stored] + self._events
        plain = [{**{c: e[c] for c in _EVENT_COLUMNS}, "at": audit.stamp(e["at"]), "body": e["body"].decode()}
                 for e in events]
        return {"instance": self.row.id, "head": self.head, "seq": self.seq, "version": self.definition.version,
                "events": plain}

    # --- advancing --------------------------------------------------------------------------------------------------

    def reach(self, element: Element) -> None:
        """Notes that the order has come to a step."""
        if element.step is not None and element.process == self.definition.key:
            self.step, self.step_name = element.step, element.name

    def completed(self, element: Element, actor: str | None = None, **detail: Any) -> None:
        """Notes that an element has completed."""
        self.reach(element)
        if element.kind in _SILENT:
            return
        if element.commits:
            self.committed = True
            host = self.definition.find(element.process, element.attached_to or "")
            if host is not None:  # a boundary event that commits has done its activity's work
                self.event("completed", host, actor=actor or SYSTEM.name, by=element.id)
        if element.properties.get("cancels", "false") != "false":
            self._ending = element
        if element.id in self.told:
            self.told.discard(element.id)
            return
        self.event("completed", element, actor=actor or SYSTEM.name, **detail)

    def advance(self) -> None:
        """Runs to the next wait states, taking kept messages on the way, and ends what has ended."""
        while True:
            self.run.advance(lambda element, _id: self.completed(element))
            if self._ending is not None or not self._take_message():
                break
        if self._ending is not None:
            ending, self._ending = self._ending, None
            reason = f"{ending.name}: {self.comment}" if self.comment else ending.name
            self.begin_cancellation(reason)
        elif self.run.ended and self.status in ("open", "cancelling") and self.ended_at is None:
            self._end("cancelled" if self.status == "cancelling" else "closed")

    def _take_message(self) -> bool:
        """Gives the oldest kept message that somebody waits for to whoever waits. True if there was one."""
        waiting = self.run.waiting()
        if not waiting:
            return False
        statement = (
            select(Message)
            .where(Message.correlation == self.row.business_key, Message.consumed_at.is_(None),
                   Message.set_aside_at.is_(None), Message.name.in_({w.name for w in waiting}))
            .order_by(Message.id)
        )
        for message in self.session.scalars(statement):
            payload = unpack(message.payload)
            for catch in waiting:
                if catch.name == message.name and self.run.accepts(catch, payload):
                    message.consumed_at, message.consumed_by = self.now(), catch.element.id
                    self.run.deliver(catch, payload)
                    self.told.add(catch.element.id)
                    self.event("message", catch.element, actor=message.source, message=message.name,
                               id=message.message_id)
                    return True
        return False

    # --- moving to another version ------------------------------------------------------------------------------------

    def move(self, definition: Definition, state: bytes, live: set[str]) -> None:
        """Goes on in another version, with a state that was made for it (`engine.transfer`).

        `live` are the ids of the tasks that were open before: what belongs to one that is gone is withdrawn. What
        waits already keeps its due time; what the version adds begins to wait now.
        """
        self.definition = definition
        self._run = Run.load(definition, self.process, state, self.engine.codec, self)
        self._open_before = {task.id: task for task in self._run.open_tasks()}
        self._timers_before = {timer.key for timer in self._run.timers()}
        self._live_before = live
        self._run.reroute()

    # --- cancelling -------------------------------------------------------------------------------------------------

    def begin_cancellation(self, reason: str) -> None:
        """Ends the live tokens; the undo process runs as soon as no outside call is under way any more."""
        if not self.run.ended:
            self.run.cancel()
        self.status, self.cancel_reason = "cancelling", reason
        self.variables["cancellation"] = {"reason": reason}
        self.event("cancelling", reason=reason)
        self.jobs = [job for job in self.jobs if job["task_id"] is None]
        self.undo_when_quiet()

    def undo_when_quiet(self, *, finishing: str | None = None) -> None:
        """Starts the undo process unless a job that may have acted outside is still open (`finishing` is closing now).

        Such a job is never dropped: its answer is awaited and recorded, so that the undo knows every effect.
        """
        if self.status != "cancelling" or self.process != self.definition.key:
            return
        # first: a call that a worker is just taking up is waited for here, and then it counts as begun
        self._close_gone()
        open_calls = self.session.execute(
            select(func.count()).select_from(Job).where(
                Job.instance_id == self.row.id, Job.kind == "operation", Job.task_id.is_not(None), _BEGUN,
                Job.state.in_(("ready", "leased", "dead")), Job.id != (finishing or ""),
            )
        ).scalar_one()
        undo = self.definition.cancellation
        if open_calls:
            return
        if undo is None:
            self._end("cancelled")
            return
        self.process = undo
        self._run = Run.start(self.definition, undo, self)
        self._open_before, self._timers_before, self._live_before = {}, set(), set()
        self.advance()

    def _end(self, status: str) -> None:
        self.status, self.ended_at = status, self.now()
        self.event("ended", status=status)

    # --- saving -----------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes state, variables, open tasks, jobs and history. Conflict when somebody else saved meanwhile."""
        if self._new:
            self._insert_instance()
        if self._run is not None:
            self._close_gone()
            self._open_tasks()
            self._open_timers()
        if self._events:
            self.session.execute(insert(_table(Event)), self._events)
        if self.jobs:
            self.session.execute(insert(_table(Job)), self.jobs)
            now = self.now()
            note_due(self.session, [job["id"] for job in self.jobs if job["state"] == "ready" and job["run_at"] <= now])
        self._update_instance()
        self._events, self.jobs = [], []
        if self._run is not None:
            self._live_before = self._run.live_ids()

    def _values(self) -> dict[str, Any]:
        values = {
            "version_id": self.definition.version_id, "status": self.status, "process": self.process,
            "committed": self.committed, "step": self.step, "step_name": self.step_name,
            "cancel_reason": self.cancel_reason, "seq": self.seq, "head": self.head, "ended_at": self.ended_at,
            "variables": pack(self.variables), "visits": pack(self.visits),
        }
        if self._run is not None:
            values["state"] = self._run.encode(self.engine.codec)
            values["awaits"] = "".join(f" {name} " for name in sorted({w.name for w in self._run.waiting()}))
        return values

    def _insert_instance(self) -> None:
        row = {column.key: getattr(self.row, column.key) for column in Instance.__table__.columns}
        self.session.execute(insert(_table(Instance)), [row])
        self._new = False

    def _update_instance(self) -> None:
        revision = self.row.revision
        statement = (
            update(Instance)
            .where(Instance.id == self.row.id, Instance.revision == revision)
            .values(revision=revision + 1, **self._values())
            .execution_options(synchronize_session=False)
        )
        if self.session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
            raise Conflict(f"{self.row.business_key} was changed by somebody else meanwhile. Load it again.")
        if self.row in self.session:
            self.session.expire(self.row)
        else:
            self.row.revision = revision + 1  # a unit that created its instance may go on

    def _close_gone(self) -> None:
        """Withdraws the tasks, timers and unbegun calls whose token is gone."""
        run = self._run
        if run is None:
            return
        gone = self._live_before - run.live_ids() if self.process == run.diagram.id else set(self._live_before)
        withdrawn = [id_ for id_ in gone if id_ in self._open_before and id_ not in self.done_tasks]
        if withdrawn:
            self.session.execute(
                update(Task).where(Task.id.in_(withdrawn), Task.state == "open")
                .values(state="withdrawn", revision=Task.revision + 1, completed_at=self.now())
                .execution_options(synchronize_session=False)
            )
        if gone:
            # an operation that a worker has begun is kept: its effect outside must become known. Whoever holds one of
            # the others finds it withdrawn
            unbegun = or_(Job.kind != "operation", not_(_BEGUN))
            self.session.execute(
                update(Job)
                .where(Job.instance_id == self.row.id, Job.task_id.in_(gone),
                       Job.state.in_(("ready", "leased", "dead")), unbegun)
                .values(state="withdrawn", updated_at=self.now())
                .execution_options(synchronize_session=False)
            )
        self._live_before -= gone

    def _open_tasks(self) -> None:
        rows = []
        for task in self.run.open_tasks():
            if task.id in self._open_before:
                continue
            self._open_before[task.id] = task
            rows.append(self._task_row(task))
        if rows:
            self.session.execute(insert(_table(Task)), rows)

    def _task_row(self, task: OpenTask) -> dict[str, Any]:
        element, now = task.element, self.now()
        due = element.properties.get("due")
        due_at = parse_timer(due, "duration").first(now) if due else now + NO_DUE
        self.reach(element)
        if due:
            self.add_job("due", task_id=task.id, element=element, run_at=due_at, key=f"{task.id}:due",
                         arguments={"phase": "reminder"})
        return {
            "id": task.id, "instance_id": self.row.id, "business_key": self.row.business_key, "process": self.process,
            "element": element.id, "name": element.name, "step": element.step,
            "team": element.properties.get("team", ""), "escalate_to": element.properties.get("escalateTo"),
            "kind": "approval" if element.is_approval else "form", "state": "open", "assignee": None,
            "claimed_at": None, "created_at": now, "due_at": due_at, "has_due": bool(due), "priority": 0,
            "reason": self.reason, "revision": 1, "draft": None, "draft_authors": "", "data": None,
            "completed_by": None, "completed_at": None,
        }

    def _open_timers(self) -> None:
        for timer in self.run.timers():
            if timer.key not in self._timers_before:
                self._timers_before.add(timer.key)
                self.add_job("timer", task_id=timer.task_id, element=timer.element, run_at=timer.due,
                             key=f"{timer.task_id}:{timer.element.id}:{audit.stamp(timer.due)}", arguments={})

    def add_job(
        self, kind: str, *, key: str, arguments: Mapping[str, Any], task_id: str | None = None,
        element: Element | None = None, run_at: datetime | None = None, operation: str | None = None,
        error: str | None = None,
    ) -> str:
        """Queues a job with the command; with an `error` it is an incident from the start. Returns its id."""
        now, job_id = self.now(), str(uuid.uuid4())
        registered = self.engine.registry.get(operation or "")
        policy = registered.retry if registered is not None else USUAL_RETRY
        self.jobs.append({
            "id": job_id, "instance_id": self.row.id, "business_key": self.row.business_key, "process": self.process,
            "task_id": task_id, "element": element.id if element else None, "name": element.name if element else None,
            "step": element.step if element else None, "kind": kind, "operation": operation, "key": key,
            "arguments": pack(arguments), "state": "dead" if error else "ready", "run_at": run_at or now,
            "attempts": 1 if error else 0, "max_attempts": policy.attempts, "fence": 0, "lease_owner": None,
            "lease_until": None, "error": error, "result": None, "created_at": now, "updated_at": now,
        })
        return job_id


_SILENT = frozenset({"exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway", "startEvent"})
_EVENT_COLUMNS = ("seq", "at", "actor", "kind", "process", "element", "name", "step", "body", "previous", "hash")


def _table(model: type[Base]) -> Table:
    """The table of a model: a plain insert names every column, so that many rows make one statement."""
    table = model.__table__
    assert isinstance(table, Table)
    return table
