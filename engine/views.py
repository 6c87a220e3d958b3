"""What the engine shows of itself: plain, frozen values for pages, API and command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from handlers.contract import Fact

T = TypeVar("T")
InstanceStatus = Literal["open", "cancelling", "closed", "cancelled"]
TaskState = Literal["open", "done", "withdrawn"]
TaskKind = Literal["form", "approval"]
JobState = Literal["ready", "leased", "done", "dead", "withdrawn"]
Decision = Literal["approve", "reject", "send_back"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gives a command. The web layer makes it from the signed-in user."""

    name: str
    """User name, unique; what the history shows."""
    teams: frozenset[str] = frozenset()
    """E.g. `sales`, `stock-approvers`."""
    sees_all: bool = False
    """`owner` and `admin`: sees every team's tasks and does none."""


SYSTEM = Actor("waybill", sees_all=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next` is the cursor of the next page."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A user task as a row of the inbox."""

    id: str
    name: str
    step: int | None
    order: str
    """The business key."""
    process: str
    element: str
    team: str
    assignee: str | None
    claimed_at: datetime | None
    created_at: datetime
    due_at: datetime | None
    priority: int
    """0 usual, 1 escalated."""
    kind: TaskKind
    state: TaskState
    revision: int
    completed_by: str | None = None
    completed_at: datetime | None = None
    reason: str | None = None
    """Why it was opened, when something went another way than usual, as a sentence."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's signature under a gate."""

    actor: str
    decision: Decision
    comment: str
    at: datetime
    snapshot: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What an approver needs to sign a gate."""

    submission: Mapping[str, Any]
    snapshot: str
    """SHA-256 of the submission's canonical JSON."""
    signatures: tuple[Signature, ...]
    need: int
    """How many distinct people must approve."""
    send_back_to: tuple[tuple[int, str], ...]
    """Steps that may be chosen: number and name."""
    submits: tuple[tuple[int, str], ...]
    """Steps under review: number and name."""
    blocked: str | None
    """Why the caller may not sign, or None."""
    earlier: tuple[Signature, ...] = ()
    """Decisions of earlier visits to this gate, oldest first."""
    earlier_submission: Mapping[str, Any] | None = None
    """What was submitted at the last send-back."""
    workers: tuple[str, ...] = ()
    """Who did a user task of the order so far and therefore may not sign."""


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A user task with everything its page needs."""

    task: TaskView
    form: Mapping[str, Any]
    """JSON Schema with this task's pick lists and one valid sample in `examples`; `{}` for an approval."""
    ui: Mapping[str, Any]
    data: Mapping[str, Any]
    """What the form starts with, or what was submitted."""
    draft: Any
    instructions: str
    facts: tuple[Fact, ...] = ()
    approval: Approval | None = None
    incident: str | None = None
    """The error of an open incident on this task."""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One running or ended instance, for an order its journey."""

    id: str
    business_key: str
    process: str
    """The key of the deployed process."""
    version: int
    status: InstanceStatus
    started_at: datetime
    ended_at: datetime | None
    revision: int
    step: int | None
    """Number of the step reached last, 1–20."""
    step_name: str | None
    can_cancel: bool
    awaits: tuple[str, ...]
    """Names of the messages it waits for."""
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of an instance's history."""

    seq: int
    at: datetime
    actor: str
    kind: str
    step: int | None
    element: str | None
    name: str | None
    process: str
    detail: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class JobView:
    """One job; dead ones are incidents."""

    id: str
    order: str
    process: str
    element: str | None
    name: str | None
    step: int | None
    kind: str
    """operation, timer, due; step, form, decision, message: what failed in a command and can be tried again."""
    operation: str | None
    key: str
    state: JobState
    attempts: int
    max_attempts: int
    run_at: datetime
    error: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DiagramView:
    """A diagram with where one instance stands on it."""

    process: str
    name: str
    xml: str
    marks: Mapping[str, Literal["done", "here", "failed"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionView:
    """One deployed version of a process."""

    key: str
    name: str
    version: int
    base_version: int | None
    content_hash: str
    origin: str
    """`folder` or `upload`."""
    reason: str
    deployed_by: str
    consented_by: str | None
    deployed_at: datetime
    open_instances: int = 0
