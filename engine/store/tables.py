"""The engine's tables as typed models (DESIGN: process_version, instance, task, job, message, event, signature)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from handlers.contract import UtcTime


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime(), dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012 - SQLAlchemy's way


class ProcessVersion(Base):
    """One deployed bundle of diagrams, forms and decision tables; never changed."""

    __tablename__ = "process_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    base_version: Mapped[int | None]
    content_hash: Mapped[str] = mapped_column(String(64))
    bundle: Mapped[bytes] = mapped_column(LargeBinary)
    origin: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    deployed_by: Mapped[str] = mapped_column(String(80))
    consented_by: Mapped[str | None] = mapped_column(String(80))
    deployed_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("key", "version"), UniqueConstraint("key", "content_hash"))


class Instance(Base):
    """One run of a process: its state, its variables and the head of its history."""

    __tablename__ = "instance"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    process_key: Mapped[str] = mapped_column(String(80))
    business_key: Mapped[str] = mapped_column(String(80), unique=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("process_version.id"))
    process: Mapped[str] = mapped_column(String(80))
    """The diagram that runs now: the process, or its cancellation."""
    status: Mapped[str] = mapped_column(String(12))
    revision: Mapped[int]
    state: Mapped[bytes] = mapped_column(LargeBinary)
    variables: Mapped[bytes] = mapped_column(LargeBinary)
    visits: Mapped[bytes] = mapped_column(LargeBinary)
    committed: Mapped[bool]
    """An element marked `commits` has completed: no cancel any more."""
    cancel_reason: Mapped[str | None] = mapped_column(Text)
    step: Mapped[int | None]
    step_name: Mapped[str | None] = mapped_column(String(200))
    awaits: Mapped[str] = mapped_column(Text)
    """Names of awaited messages, each between spaces, so that LIKE finds one."""
    seq: Mapped[int]
    head: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        Index("instance_by_status", "process_key", "status", "started_at"),
        Index("instance_by_start", "process_key", "started_at"),
    )


class Task(Base):
    """One user task, open or done. Its id is the engine's task id."""

    __tablename__ = "task"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    business_key: Mapped[str] = mapped_column(String(80))
    process: Mapped[str] = mapped_column(String(80))
    element: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(200))
    step: Mapped[int | None]
    team: Mapped[str] = mapped_column(String(80))
    escalate_to: Mapped[str | None] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    assignee: Mapped[str | None] = mapped_column(String(80))
    claimed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """Tasks without a `due` property fall due a year later, so that every list sorts by one column."""
    has_due: Mapped[bool]
    priority: Mapped[int]
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was opened, when something went another way than usual: a refusal's or a timer's own words."""
    revision: Mapped[int]
    draft: Mapped[bytes | None] = mapped_column(LargeBinary)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    completed_by: Mapped[str | None] = mapped_column(String(80))
    completed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("task_inbox", "team", "due_at", "id", sqlite_where=text("state = 'open'"),
              postgresql_where=text("state = 'open'")),
        Index("task_mine", "assignee", "due_at", sqlite_where=text("state = 'open'"),
              postgresql_where=text("state = 'open'")),
        Index("task_by_instance", "instance_id"),
    )


class Signature(Base):
    """One person's decision under a gate, with exactly what was signed."""

    __tablename__ = "signature"
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("task.id"))
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    element: Mapped[str] = mapped_column(String(120))
    actor: Mapped[str] = mapped_column(String(80))
    decision: Mapped[str] = mapped_column(String(10))
    send_back_to: Mapped[int | None]
    comment: Mapped[str] = mapped_column(Text)
    snapshot: Mapped[str] = mapped_column(String(64))
    submission: Mapped[bytes] = mapped_column(LargeBinary)
    version_id: Mapped[int] = mapped_column(ForeignKey("process_version.id"))
    at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("task_id", "actor"), Index("signature_by_instance", "instance_id"))


class Job(Base):
    """Work that a worker does: an external operation, a timer, a reminder; dead ones are incidents."""

    __tablename__ = "job"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    business_key: Mapped[str] = mapped_column(String(80))
    process: Mapped[str] = mapped_column(String(80))
    task_id: Mapped[str | None] = mapped_column(String(36))
    """The engine's task that waits for it; null for work beside the token."""
    element: Mapped[str | None] = mapped_column(String(120))
    name: Mapped[str | None] = mapped_column(String(200))
    step: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(12))
    operation: Mapped[str | None] = mapped_column(String(120))
    key: Mapped[str] = mapped_column(String(200), unique=True)
    arguments: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10))
    run_at: Mapped[datetime]
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    fence: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        Index("job_due", "run_at", sqlite_where=text("state = 'ready'"), postgresql_where=text("state = 'ready'")),
        Index("job_leased", "lease_until", sqlite_where=text("state = 'leased'"),
              postgresql_where=text("state = 'leased'")),
        Index("job_dead", "updated_at", sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'")),
        Index("job_by_instance", "instance_id", "state"),
    )


class Message(Base):
    """A message from outside, stored before it is matched and kept until somebody waits for it."""

    __tablename__ = "message"
    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(40))
    message_id: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(120))
    correlation: Mapped[str] = mapped_column(String(80))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]
    consumed_by: Mapped[str | None] = mapped_column(String(120))
    """The element that took it, or why nobody ever will."""
    __table_args__ = (
        UniqueConstraint("source", "message_id"),
        Index("message_waiting", "correlation", sqlite_where=text("consumed_at IS NULL"),
              postgresql_where=text("consumed_at IS NULL")),
    )


class Event(Base):
    """One line of an instance's history, chained by hash."""

    __tablename__ = "event"
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(24))
    process: Mapped[str] = mapped_column(String(80))
    element: Mapped[str | None] = mapped_column(String(120))
    name: Mapped[str | None] = mapped_column(String(200))
    step: Mapped[int | None]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Canonical JSON of detail, before and after."""
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
