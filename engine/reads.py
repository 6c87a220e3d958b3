"""What pages, API and command line read: instances, history, diagrams, jobs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from engine import audit
from engine.errors import NotFound
from engine.inbox import Inbox
from engine.rows import cursor_of, instance_view, job_view, read_cursor
from engine.runtime import Mark
from engine.store.tables import Event, Instance, Job
from engine.unit import Unit
from engine.views import SYSTEM, DiagramView, EventView, InstanceStatus, InstanceView, JobState, JobView, Page


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
        with self.reading() as session:
            row = self._row(session, business_key)
            return [audit.event_view(event) for event in audit.events_of(session, row.id)]

    def diagrams(self, business_key: str) -> list[DiagramView]:
        """The process and, when it was cancelled, the undo, each with what is done, current and failed."""
        with self.reading() as session:
            unit = Unit.lock(self, session, SYSTEM, key=business_key, reading=True)
            marks: dict[str, dict[str, Mark]] = {unit.definition.key: {}}
            for process, element in session.execute(
                select(Event.process, Event.element)
                .where(Event.instance_id == unit.row.id, Event.kind.in_(("completed", "message", "timer")))
                .order_by(Event.seq)
            ):
                marks.setdefault(process, {})[element or ""] = "done"
            if unit.row.state:
                marks.setdefault(unit.process, {}).update(unit.run.marks())
            for process, element in session.execute(
                select(Job.process, Job.element).where(Job.instance_id == unit.row.id, Job.state == "dead")
            ):
                marks.setdefault(process, {})[element or ""] = "failed"
            return [
                DiagramView(process, unit.definition.diagram(process).name, unit.definition.xml(process), found)
                for process, found in marks.items()
            ]

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

    def steps(self, process: str) -> list[tuple[int, str, str | None]]:
        """Number, name and team (None: it runs by itself) of the steps of a process's newest version."""
        with self.reading() as session:
            names = self.library.newest(session, process).step_names()
        return [(number, *names[number]) for number in sorted(names)]

    @staticmethod
    def _row(session: Session, business_key: str) -> Instance:
        row = session.scalars(select(Instance).where(Instance.business_key == business_key)).one_or_none()
        if row is None:
            raise NotFound(f"There is no order {business_key}.")
        return row
