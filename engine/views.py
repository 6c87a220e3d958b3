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
JobState = Literal["ready", "leased", "done", "dead", "withdrawn", "resolved"]
Decision = Literal["approve", "reject", "send_back"]
VersionState = Literal["awaiting_consent", "deployed", "returned"]
DraftState = Literal["open", "asked", "discarded"]
MessageState = Literal["waiting", "unmatched", "taken", "set_aside"]
MessageWhy = Literal["early", "no_order", "ended", "passed", "not_accepted", "failed"]


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
    steps: int = 0
    """The number of the last step of its process."""


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
class Incident:
    """Jobs that gave up for the same cause."""

    cause: str
    """What they share: operation or kind, element, and the error without order numbers, ids and figures."""
    title: str
    """The error of the oldest one, its first line."""
    operation: str | None
    kind: str
    element: str | None
    name: str | None
    step: int | None
    count: int
    orders: int
    """How many orders it stops."""
    oldest: datetime
    """When the first one gave up."""
    newest: datetime
    jobs: tuple[JobView, ...]
    """The oldest of them, as a sample."""


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """One job that gave up, with what resolving it by hand would do."""

    job: JobView
    waits: bool
    """A token stands at it and goes on with the result that the person gives."""
    variable: str | None
    """The name of the variable that the result becomes."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one incident of many that were to be tried again."""

    id: str
    order: str | None
    problem: str | None
    """Why it was not; None: it is being tried again."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """That a person has dealt with a message which no order takes."""

    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message from outside."""

    id: int
    message_id: str
    """The sender's own id."""
    source: str
    name: str
    order: str
    """The business key that the sender named; perhaps there is no such order."""
    payload: Mapping[str, Any]
    received_at: datetime
    state: MessageState
    why: MessageWhy | None
    """Why nobody has taken it: `early`, the order does not ask for it now and may later; `no_order`; `ended`, the order
    has; `passed`, the order took such a message before and asks for no other; `not_accepted`, the order waits for such
    a message and its expression did not accept this one; `failed`, the order's incident says what went wrong. None when
    it was taken or set aside."""
    since: datetime
    """Since when that is so."""
    order_status: InstanceStatus | None
    taken_at: datetime | None
    taken_by: str | None
    """The element that took it."""
    set_aside: SetAside | None


@dataclass(frozen=True, slots=True)
class DiagramView:
    """A diagram with where one instance stands on it."""

    process: str
    name: str
    xml: str
    marks: Mapping[str, Literal["done", "here", "failed"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a process: deployed, waiting for a second analyst's consent, or returned by that analyst."""

    key: str
    name: str
    version: int
    base_version: int | None
    """The version it was made on; None for the first."""
    content_hash: str
    origin: str
    """`folder`, `upload`, `draft` or `back` (an older version deployed again)."""
    reason: str
    deployed_by: str
    """Who made it and asked for consent."""
    consented_by: str | None
    deployed_at: datetime
    """When it was deployed; until then, when consent was asked for."""
    open_instances: int = 0
    state: VersionState = "deployed"
    answered_at: datetime | None = None
    answered_by: str | None = None
    """Who consented or returned it."""
    answer: str = ""
    """What that person wrote."""


@dataclass(frozen=True, slots=True)
class DraftView:
    """A bundle that analysts work on; kept as it is, unchecked, until it becomes a version."""

    id: str
    key: str
    """The process it changes, or will be."""
    title: str
    base_version: int | None
    """The version it builds on; None for a new process."""
    revision: int
    """Counts the changes; a save names the one it was made on."""
    state: DraftState
    version: int | None
    """The version it became when consent was asked for last."""
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    files: Mapping[str, bytes]
    """By name, `processes/*.bpmn`, `processes/*.dmn`, `forms/*.json`; empty in lists."""
    answered_by: str | None = None
    """Who returned `version`; None when nobody did."""
    answer: str = ""
    """Why it was returned."""
