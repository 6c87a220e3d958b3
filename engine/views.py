"""What the engine shows of itself: plain, frozen values for pages, API and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
QuestionState = Literal["open", "answered", "withdrawn"]
MessageState = Literal["waiting", "unmatched", "taken", "set_aside"]
DelegationState = Literal["planned", "running", "ended", "revoked"]
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
    display_name: str = ""
    """The name that people read; a signature keeps it. Empty: the user name."""
    is_owner: bool = False
    """May open a gate in an emergency."""
    is_administrator: bool = False
    """May delegate for others."""

    @property
    def printed_name(self) -> str:
        return self.display_name or self.name

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
    draft_revision: int = 0
    """Grows with every change of the draft; whoever saves names the one it builds on."""
    draft_by: str | None = None
    """Who typed the draft."""
    draft_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question about an order from one team to another."""

    id: str
    order: str
    """The business key."""
    task: str | None
    """The task from which it was asked."""
    asked_by: str
    from_team: str
    team: str
    """Who is to answer."""
    person: str | None
    """Who of the team is meant; a colleague may answer too."""
    text: str
    asked_at: datetime
    state: QuestionState
    answered_by: str | None
    answered_at: datetime | None
    answer: str | None
    read_at: datetime | None
    """When who asked has read the answer."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's signature under a gate."""

    actor: str
    decision: Decision
    comment: str
    at: datetime
    snapshot: str
    printed_name: str = ""
    """The person's name as people read it, as it was then; empty for signatures of long ago."""
    meaning: str = ""
    """The sentence that was signed; empty for signatures of long ago."""
    proof: str = ""
    """With what the person proved who they are: `password`, `password and code`."""
    on_behalf_of: str | None = None
    """Whose right was used, under a delegation."""
    emergency: bool = False
    """The gate was opened without its approvers."""
    version: int | None = None
    """The version of the process in which it was signed."""
    void_at: datetime | None = None
    """Since when it does not count any more."""
    void_why: str | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """Money, in minor units of its ISO 4217 currency."""

    amount: int
    currency: str

    def covers(self, worth: Sequence[Amount]) -> bool:
        """Whether none of these is more. What is in another currency, or unknown (none at all), is not covered."""
        return bool(worth) and all(each.currency == self.currency and each.amount <= self.amount for each in worth)


@dataclass(frozen=True, slots=True)
class DelegationView:
    """One person's right to sign, lent to another for a time."""

    id: str
    principal: str
    """Whose right it is."""
    delegate: str
    """Who may sign for them."""
    team: str
    """The team as whose member the principal signs."""
    gates: tuple[str, ...]
    """Ids of the gates it covers; empty: every gate that the team signs."""
    starts_at: datetime
    ends_at: datetime
    reason: str
    made_by: str
    made_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None
    state: DelegationState
    """At the time it was read."""
    up_to: Amount | None = None
    """What an order may be worth at most; None: anything."""


@dataclass(frozen=True, slots=True)
class Gate:
    """An approval in a version of a process that is in use."""

    process: str
    """The key of the deployed process."""
    version: int
    element: str
    name: str
    step: int | None
    team: str
    """Who signs it."""
    open_instances: int
    """How many instances run in this version."""
    newest: bool
    """Whether instances are started in this version now."""


@dataclass(frozen=True, slots=True)
class Signers:
    """Who could sign what at a moment, as far as the engine knows: gates with their teams, and delegations."""

    at: datetime
    gates: tuple[Gate, ...]
    delegations: tuple[DelegationView, ...]
    """Those that ran at that moment."""


@dataclass(frozen=True, slots=True)
class AlarmView:
    """Something that must not be overlooked."""

    id: int
    kind: str
    """`override`: a gate was opened without its approvers."""
    order: str
    task: str
    element: str
    name: str
    team: str
    """Whose gate it is."""
    raised_by: str
    raised_at: datetime
    why: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None


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
    void: tuple[Signature, ...] = ()
    """Signatures of this visit that do not count any more, with why."""
    meanings: Mapping[Decision, str] = field(default_factory=dict)
    """The sentence that is signed, by decision."""
    acts_for: str | None = None
    """For whom the caller would sign, under a delegation; None: in their own right, or not at all."""
    up_to: Amount | None = None
    """What an order may be worth at most for the caller to sign it for that person; None: anything."""
    acts_until: datetime | None = None
    """Until when they may, under that delegation."""
    worth: tuple[Amount, ...] = ()
    """What the submission says that the order is worth; each is compared with such a limit."""
    can_override: bool = False
    """Whether the caller may open the gate in an emergency."""


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
    lent: tuple[DelegationView, ...] | None = None
    """Under what the caller signs for others now, and what else is lent of this gate's team; None where the task is
    there for the caller anyway."""


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
    """operation, timer, due; step, form, decision, message: what failed in a command and can be tried again; gate:
    an approval that a step requires does not hold."""
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
    not_by_hand: str | None
    """Why nobody can resolve it by hand; it is tried again, or the order is cancelled."""


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
class StepView:
    """One numbered step of a process."""

    number: int
    name: str
    team: str | None
    """None: nobody's, it runs by itself."""
    is_gate: bool
    commits: bool
    """Once it is done, nothing can be cancelled any more."""


@dataclass(frozen=True, slots=True)
class Journey:
    """Everything the engine knows of one instance, as of one moment."""

    instance: InstanceView
    steps: tuple[StepView, ...]
    """Of the version that the instance runs on."""
    events: tuple[EventView, ...]
    """Its history in order."""
    incidents: tuple[JobView, ...]
    """Its jobs that gave up, the one that did so last first."""
    not_by_hand: frozenset[str]
    """Ids of those that nobody resolves by hand, since that would be an approval by editing data."""
    diagrams: tuple[DiagramView, ...]
    """The process and, when it was cancelled, the undo."""


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
