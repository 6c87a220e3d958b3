"""Rows of the engine's tables as the views that pages and API get."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from engine.codec import unpack
from engine.definitions import Definition
from engine.errors import InvalidForm
from engine.store.tables import Instance, Job, Signature, Task
from engine.views import InstanceView, JobView, TaskKind, TaskState, TaskView
from engine.views import Signature as SignatureView
from handlers.contract import FieldError


def task_view(row: Task) -> TaskView:
    return TaskView(
        id=row.id, name=row.name, step=row.step, order=row.business_key, process=row.process, element=row.element,
        team=row.team, assignee=row.assignee, claimed_at=row.claimed_at, created_at=row.created_at,
        due_at=row.due_at if row.has_due else None, priority=row.priority, kind=cast(TaskKind, row.kind),
        state=cast(TaskState, row.state), revision=row.revision, completed_by=row.completed_by,
        completed_at=row.completed_at, reason=row.reason,
    )


def awaited(text: str) -> tuple[str, ...]:
    """The names of messages in the column `awaits`; each stands between spaces, and may hold single ones."""
    return tuple(name for name in text.strip(" ").split("  ") if name)


def instance_view(row: Instance, definition: Definition) -> InstanceView:
    return InstanceView(
        id=row.id, business_key=row.business_key, process=row.process_key, version=definition.version,
        status=row.status, started_at=row.started_at, ended_at=row.ended_at, revision=row.revision,  # type: ignore[arg-type]
        step=row.step, step_name=row.step_name,
        can_cancel=row.status == "open" and not row.committed and definition.cancellation is not None,
        awaits=awaited(row.awaits), variables=unpack(row.variables) if row.variables else {},
    )


def job_view(row: Job) -> JobView:
    return JobView(
        id=row.id, order=row.business_key, process=row.process, element=row.element, name=row.name, step=row.step,
        kind=row.kind, operation=row.operation, key=row.key, state=row.state,  # type: ignore[arg-type]
        attempts=row.attempts, max_attempts=row.max_attempts, run_at=row.run_at, error=row.error,
        updated_at=row.updated_at,
    )


def signature_view(row: Signature) -> SignatureView:
    return SignatureView(row.actor, row.decision, row.comment, row.at, row.snapshot)  # type: ignore[arg-type]


def cursor_of(at: datetime, last_id: str) -> str:
    """Where the next page of a list begins."""
    return f"{at.isoformat()}|{last_id}"


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """What `cursor_of` wrote. InvalidForm when it is something else."""
    at, _, last = cursor.partition("|")
    try:
        written = datetime.fromisoformat(at)
        when = written.astimezone(UTC) if written.tzinfo is not None else None
    except (ValueError, OverflowError):
        when = None
    if when is None or not last:
        raise InvalidForm([FieldError("/cursor", "This is not a cursor of this list.")])
    return when, last
