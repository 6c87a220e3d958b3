"""What pages, API and command line read: instances, history, diagrams, jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from engine import audit
from engine.errors import NotFound
from engine.inbox import Inbox
from engine.incidents import not_by_hand
from engine.rows import cursor_of, instance_view, job_view, read_cursor
from engine.runtime import Mark
from engine.store.tables import Event, Instance, Job
from engine.unit import Unit
from engine.views import (
    SYSTEM,
    DiagramView,
    EventView,
    InstanceStatus,
    InstanceView,
    JobState,
    JobView,
    Journey,
    Page,
    StepView,
)
from handlers.contract import Call

T = TypeVar("T")


class Reads(Inbox):
    """Reads that are nobody's command."""

    def instance(self, business_key: str) -> InstanceView:
        """One instance by its business key. NotFound."""
        with self.reading() as session:
            row = self._row(session, business_key)
            return instance_view(row, self.library.get(session, row.version_id))

    def instance_by_id(self, instance_id: str) -> InstanceView:
        """One instance by its id. NotFound."""
        with self.reading() as session:
            row = session.get(Instance, instance_id)
            if row is None:
                raise NotFound("There is no such instance.")
            return instance_view(row, self.library.get(session, row.version_id))

    def instances(
        self, process: str, *, statuses: Sequence[InstanceStatus] = (), keys: Sequence[str] | None = None,
        q: str | None = None, limit: int = 50, cursor: str | None = None,
    ) -> Page[InstanceView]:
        """Instances of a process, newest first."""
        conditions = [Instance.process_key == process]
        if statuses:
            conditions.append(Instance.status.in_(statuses))
        if keys is not None:
            conditions.append(Instance.business_key.in_(keys))
        if q:
            conditions.append(func.lower(Instance.business_key).like(f"%{q.lower()}%"))
        if cursor is not None:
            at, last = read_cursor(cursor)
            conditions.append(or_(Instance.started_at < at, and_(Instance.started_at == at, Instance.id < last)))
        limit = max(1, min(limit, 1000))
        statement = (
            select(Instance).where(*conditions).order_by(Instance.started_at.desc(), Instance.id.desc())
            .limit(limit + 1)
        )
        with self.reading() as session:
            rows = list(session.scalars(statement))
            views = tuple(instance_view(row, self.library.get(session, row.version_id)) for row in rows[:limit])
        following = cursor_of(rows[limit - 1].started_at, rows[limit - 1].id) if len(rows) > limit else None
        return Page(views, following)

    def history(self, business_key: str) -> list[EventView]:
        """The history of an instance in order. NotFound."""
        statement = select(Event).join(Instance, Instance.id == Event.instance_id)
        with self.reading() as session:
            events = session.scalars(statement.where(Instance.business_key == business_key).order_by(Event.seq)).all()
            if not events:
                self._row(session, business_key)
            return [audit.event_view(event) for event in events]

    def journey(self, business_key: str) -> Journey:
        """An instance with its steps, history, incidents and diagrams: all of one moment, in three statements.
        NotFound."""
        with self.database.snapshot() as session:
            unit = Unit.lock(self, session, SYSTEM, key=business_key, reading=True)
            events = tuple(audit.event_view(event) for event in audit.events_of(session, unit.row.id))
            dead = select(Job).where(Job.instance_id == unit.row.id, Job.state == "dead")
            rows = session.scalars(dead.order_by(Job.updated_at.desc(), Job.id.desc())).all()
            jobs = tuple(map(job_view, rows))
            return Journey(
                instance=instance_view(unit.row, unit.definition),
                steps=unit.definition.steps(),
                events=events,
                incidents=jobs,
                not_by_hand=frozenset(row.id for row in rows if not_by_hand(unit, row)),
                diagrams=_diagrams(unit, events, jobs),
            )

    def diagrams(self, business_key: str) -> list[DiagramView]:
        """The process and, when it was cancelled, the undo, each with what is done, current and failed."""
        return list(self.journey(business_key).diagrams)

    def diagram_xml(self, business_key: str, process: str) -> str | None:
        """The XML of one diagram that an instance runs on; None when it has none of that name. NotFound."""
        with self.reading() as session:
            definition = self.library.get(session, self._row(session, business_key).version_id)
            return definition.xml(process) if process in definition.diagrams else None

    def jobs(
        self, *, state: JobState | None = None, order: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[JobView]:
        """Jobs, the ones changed last first."""
        conditions = []
        if state is not None:
            conditions.append(Job.state == state)
        if order is not None:
            conditions.append(Job.business_key == order)
        if cursor is not None:
            at, last = read_cursor(cursor)
            conditions.append(or_(Job.updated_at < at, and_(Job.updated_at == at, Job.id < last)))
        limit = max(1, min(limit, 1000))
        statement = select(Job).where(*conditions).order_by(Job.updated_at.desc(), Job.id.desc()).limit(limit + 1)
        with self.reading() as session:
            rows = list(session.scalars(statement))
        following = cursor_of(rows[limit - 1].updated_at, rows[limit - 1].id) if len(rows) > limit else None
        return Page(tuple(job_view(row) for row in rows[:limit]), following)

    def job(self, job_id: str) -> JobView:
        """One job. NotFound."""
        with self.reading() as session:
            row = session.get(Job, job_id)
            if row is None:
                raise NotFound("There is no such job.")
            return job_view(row)

    def waiting_for(self, message: str) -> list[str]:
        """Business keys of the instances that wait for a message of this name."""
        with self.reading() as session:
            return list(session.scalars(
                select(Instance.business_key).where(
                    Instance.status.in_(("open", "cancelling")), Instance.awaits.contains(f" {message} ")
                ).order_by(Instance.started_at)
            ))

    def steps(self, process: str) -> tuple[StepView, ...]:
        """The steps of a process's newest version."""
        with self.reading() as session:
            return self.library.newest(session, process).steps()

    def look(self, business_key: str, work: Callable[[Call], T]) -> T:
        """Gives a function the call that operations of this order get, to read with. Nothing is written. NotFound."""
        with self.reading() as session:
            unit = Unit.lock(self, session, SYSTEM, key=business_key, reading=True)
            element = next(iter(unit.definition.diagram(unit.definition.key).elements.values()))
            return work(unit.call(element, f"{business_key}:look"))

    @staticmethod
    def _row(session: Session, business_key: str) -> Instance:
        row = session.scalars(select(Instance).where(Instance.business_key == business_key)).one_or_none()
        if row is None:
            raise NotFound(f"There is no order {business_key}.")
        return row


def _diagrams(unit: Unit, events: Sequence[EventView], dead: Sequence[JobView]) -> tuple[DiagramView, ...]:
    marks: dict[str, dict[str, Mark]] = {unit.definition.key: {}}
    for event in events:
        if event.kind in ("completed", "message", "timer"):
            marks.setdefault(event.process, {})[event.element or ""] = "done"
    if unit.row.state:
        marks.setdefault(unit.process, {}).update(unit.run.marks())
    for job in dead:
        marks.setdefault(job.process, {})[job.element or ""] = "failed"
    return tuple(
        DiagramView(process, unit.definition.diagram(process).name, unit.definition.xml(process), found)
        for process, found in marks.items()
    )
