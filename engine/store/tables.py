"""The engine's tables as typed models (process_version, instance, task, job, message, question, event, signature …)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from handlers.contract import UtcTime


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime(), dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012 - SQLAlchemy's way


class ProcessVersion(Base):
    """One bundle of diagrams, forms and decision tables, deployed or waiting for consent; its content never changes."""

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
    """Who made it and asked for consent."""
    consented_by: Mapped[str | None] = mapped_column(String(80))
    """Who answered: consented or, in state `returned`, returned it."""
    deployed_at: Mapped[datetime]
    """When it was deployed; until then, when consent was asked for."""
    state: Mapped[str] = mapped_column(String(16))
    """`awaiting_consent`, `deployed` or `returned`."""
    answered_at: Mapped[datetime | None]
    """When the second analyst consented or returned it."""
    answer: Mapped[str] = mapped_column(Text)
    """What the second analyst wrote."""
    __table_args__ = (UniqueConstraint("key", "version"),)


class Draft(Base):
    """A bundle that analysts work on; kept as it is, unchecked, until it becomes a version."""

    __tablename__ = "draft"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    """The process it changes or will be."""
    title: Mapped[str] = mapped_column(String(200))
    base_version: Mapped[int | None]
    """The version it began as; None for a new process."""
    bundle: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    """`open`, `asked` (it became `version`) or `discarded`."""
    version: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(80))
    updated_at: Mapped[datetime]
    editors: Mapped[str] = mapped_column(Text)
    """Names of all who have changed its files, one to a line: none of them consents to what they made."""
    __table_args__ = (Index("draft_by_state", "state", "updated_at"),)


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


_OPEN = text("state = 'open'")
_CLAIMED = text("state = 'open' AND assignee IS NOT NULL")


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
    draft_revision: Mapped[int] = mapped_column(default=0)
    """Grows with every change of the draft, so that two windows do not overwrite each other."""
    draft_by: Mapped[str | None] = mapped_column(String(80))
    """Who saved the draft."""
    draft_at: Mapped[datetime | None]
    draft_authors: Mapped[str] = mapped_column(Text, default="")
    """Everybody who ever saved a draft of it, a name a line; once it is done they have worked on the order."""
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    completed_by: Mapped[str | None] = mapped_column(String(80))
    completed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("task_inbox", "team", "due_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("task_due", "due_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("task_step", "step", "team", "due_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("task_mine", "assignee", "due_at", "id", sqlite_where=_CLAIMED, postgresql_where=_CLAIMED),
        Index("task_claims", "claimed_at", sqlite_where=_CLAIMED, postgresql_where=_CLAIMED),
        Index("task_names", "name", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("task_by_order", "business_key"),
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
    printed_name: Mapped[str] = mapped_column(String(120))
    """The person's name as people read it, as it was then."""
    meaning: Mapped[str] = mapped_column(Text)
    """The sentence that was signed."""
    proof: Mapped[str] = mapped_column(String(40))
    """With what the person proved who they are when they signed: `password`, `password and code`."""
    on_behalf_of: Mapped[str | None] = mapped_column(String(80))
    """Whose right was used, under a delegation."""
    emergency: Mapped[bool]
    """The gate was opened without its approvers."""
    void_at: Mapped[datetime | None]
    """Since when it does not count any more."""
    void_why: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        Index("signature_one_each", "task_id", "actor", unique=True, sqlite_where=text("void_at IS NULL"),
              postgresql_where=text("void_at IS NULL")),
        Index("signature_by_instance", "instance_id"),
    )


class Delegation(Base):
    """One person's right to sign, lent to another for a time. Its rows are never deleted."""

    __tablename__ = "delegation"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    principal: Mapped[str] = mapped_column(String(80), index=True)
    """Whose right it is."""
    delegate: Mapped[str] = mapped_column(String(80), index=True)
    """Who may sign for them."""
    team: Mapped[str] = mapped_column(String(80))
    """The team as whose member the principal signs."""
    gates: Mapped[str] = mapped_column(Text)
    """Ids of the gates it covers, one to a line; empty: every gate that the team signs."""
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime]
    revoked_by: Mapped[str | None] = mapped_column(String(80))
    revoked_at: Mapped[datetime | None]
    limit_amount: Mapped[int | None] = mapped_column(BigInteger)
    """What an order may be worth at most, in minor units; None: anything."""
    limit_currency: Mapped[str | None] = mapped_column(String(3))


class Alarm(Base):
    """Something that must not be overlooked: on show until somebody else acknowledges it."""

    __tablename__ = "alarm"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    """`override`: a gate was opened without its approvers."""
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"), index=True)
    business_key: Mapped[str] = mapped_column(String(80))
    task_id: Mapped[str] = mapped_column(ForeignKey("task.id"))
    element: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(200))
    team: Mapped[str] = mapped_column(String(80))
    """Whose gate it is."""
    raised_by: Mapped[str] = mapped_column(String(80))
    raised_at: Mapped[datetime]
    why: Mapped[str] = mapped_column(Text)
    """In the words of whoever raised it."""
    acknowledged_by: Mapped[str | None] = mapped_column(String(80))
    acknowledged_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(Text)
    """What whoever acknowledged it has found."""
    __table_args__ = (
        Index("alarm_open", "raised_at", sqlite_where=text("acknowledged_at IS NULL"),
              postgresql_where=text("acknowledged_at IS NULL")),
    )


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


_UNTAKEN = text("consumed_at IS NULL AND set_aside_at IS NULL")


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
    """The element that took it."""
    set_aside_at: Mapped[datetime | None]
    """Since when no order may take it, because a person has dealt with it."""
    set_aside_by: Mapped[str | None] = mapped_column(String(80))
    set_aside_reason: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        UniqueConstraint("source", "message_id"),
        Index("message_by_order", "correlation"),
        Index("message_waiting", "correlation", sqlite_where=_UNTAKEN, postgresql_where=_UNTAKEN),
        Index("message_set_aside", "id", sqlite_where=text("set_aside_at IS NOT NULL"),
              postgresql_where=text("set_aside_at IS NOT NULL")),
    )


_REFUSED = text("kind = 'signature_refused'")


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
    __table_args__ = (
        Index("event_refused", "at", "actor", sqlite_where=_REFUSED, postgresql_where=_REFUSED),
    )


class JournalEntry(Base):
    """One line of the journal of the house, chained by hash (`engine.journal`)."""

    __tablename__ = "journal"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(120), index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Canonical JSON of detail, before and after."""
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


_ASKED, _UNREAD = text("state = 'open'"), text("state = 'answered' AND read_at IS NULL")


class Question(Base):
    """A question about an order from one team to another, with its answer."""

    __tablename__ = "question"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    business_key: Mapped[str] = mapped_column(String(80))
    task_id: Mapped[str | None] = mapped_column(ForeignKey("task.id"))
    """The task from which it was asked."""
    asked_by: Mapped[str] = mapped_column(String(80))
    from_team: Mapped[str] = mapped_column(String(80))
    to_team: Mapped[str] = mapped_column(String(80))
    to_person: Mapped[str | None] = mapped_column(String(80))
    """Who of the team is meant; a colleague may answer too."""
    text: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10))
    """`open`, `answered` or `withdrawn`."""
    answered_by: Mapped[str | None] = mapped_column(String(80))
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(Text)
    read_at: Mapped[datetime | None]
    """When who asked has read the answer."""
    __table_args__ = (
        Index("question_open", "to_team", "asked_at", sqlite_where=_ASKED, postgresql_where=_ASKED),
        Index("question_unread", "asked_by", sqlite_where=_UNREAD, postgresql_where=_UNREAD),
        Index("question_by_order", "business_key", "asked_at"),
    )


class Seal(Base):
    """The heads of all histories at one moment, chained by hash: shows what a history by itself cannot show."""

    __tablename__ = "seal"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3 …; of two that are made at once, one is refused."""
    at: Mapped[datetime]
    heads: Mapped[bytes] = mapped_column(LargeBinary)
    """What changed since the seal before: canonical JSON of [instance, business key, seq, head], compressed."""
    root: Mapped[str] = mapped_column(String(64))
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Sealed(Base):
    """How far each history is sealed, so that the next seal finds what changed; what holds is in the seals."""

    __tablename__ = "sealed"
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    seq: Mapped[int]
    number: Mapped[int] = mapped_column(ForeignKey("seal.number"), index=True)


class Migration(Base):
    """One order to move live instances to another version; each has a result in `MigrationItem`."""

    __tablename__ = "migration"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    version_id: Mapped[int] = mapped_column(ForeignKey("process_version.id"))
    """Where they go."""
    actor: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class MigrationItem(Base):
    """What became of one instance."""

    __tablename__ = "migration_item"
    migration_id: Mapped[int] = mapped_column(ForeignKey("migration.id"), primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"), primary_key=True)
    business_key: Mapped[str] = mapped_column(String(80))
    from_version: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))
    """`waiting`, `moved`, `stays` (it had ended or was there already) or `refused`."""
    why: Mapped[str] = mapped_column(Text)
    """Why it stays or was refused, in a sentence that names the element; empty when moved."""
    at: Mapped[datetime | None]
    __table_args__ = (Index("migration_item_by_state", "migration_id", "state"),)
