"""Rows of the engine's tables as the views that pages and API get."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from engine.codec import unpack
from engine.definitions import Definition
from engine.errors import DraftChanged, InvalidForm
from engine.store.tables import Alarm, Delegation, Instance, Job, Signature, Task
from engine.views import (
    AlarmView,
    Amount,
    Decision,
    DelegationState,
    DelegationView,
    InstanceView,
    JobView,
    TaskKind,
    TaskState,
    TaskView,
)
from engine.views import Signature as SignatureView
from handlers.contract import FieldError


def task_view(row: Task) -> TaskView:
    return TaskView(
        id=row.id, name=row.name, step=row.step, order=row.business_key, process=row.process, element=row.element,
        team=row.team, assignee=row.assignee, claimed_at=row.claimed_at, created_at=row.created_at,
        due_at=row.due_at if row.has_due else None, priority=row.priority, kind=cast(TaskKind, row.kind),
        state=cast(TaskState, row.state), revision=row.revision, completed_by=row.completed_by,
        completed_at=row.completed_at, reason=row.reason, draft_revision=row.draft_revision,
        draft_by=row.draft_by, draft_at=row.draft_at,
    )


def authors(row: Task) -> list[str]:
    """Everybody who saved a draft of a task, by name."""
    return row.draft_authors.splitlines()


def draft_changed(row: Task) -> DraftChanged:
    """The refusal of a save that builds on an older draft than the one stored."""
    by, at = row.draft_by or "", row.draft_at or row.created_at
    return DraftChanged(f"{by} saved another draft of this task at {at:%H:%M:%S} UTC on {at:%Y-%m-%d}.",
                        by=by, at=at, revision=row.draft_revision)


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


def signature_view(row: Signature, version: int | None = None, *, void: str | None = None) -> SignatureView:
    """`void`: why a signature that is not marked so yet does not count any more."""
    return SignatureView(
        row.actor, cast(Decision, row.decision), row.comment, row.at, row.snapshot, row.printed_name, row.meaning,
        row.proof, row.on_behalf_of, row.emergency, version, row.void_at, row.void_why or void,
    )


def delegation_view(row: Delegation, at: datetime) -> DelegationView:
    """A delegation as it stood at a moment."""
    state: DelegationState = "running"
    if row.revoked_at is not None and row.revoked_at <= at:
        state = "revoked"
    elif at < row.starts_at:
        state = "planned"
    elif at >= row.ends_at:
        state = "ended"
    return DelegationView(
        row.id, row.principal, row.delegate, row.team, tuple(row.gates.split()), row.starts_at, row.ends_at,
        row.reason, row.made_by, row.made_at, row.revoked_by, row.revoked_at, state, _limit_of(row),
    )


def _limit_of(row: Delegation) -> Amount | None:
    """Up to what amount a delegation holds."""
    if row.limit_amount is None or row.limit_currency is None:
        return None
    return Amount(row.limit_amount, row.limit_currency)


def alarm_view(row: Alarm) -> AlarmView:
    return AlarmView(
        row.id, row.kind, row.business_key, row.task_id, row.element, row.name, row.team, row.raised_by,
        row.raised_at, row.why, row.acknowledged_by, row.acknowledged_at, row.note,
    )


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
