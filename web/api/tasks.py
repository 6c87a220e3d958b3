"""Tasks of people: the inbox, one task with its form, claim, drafts, completion, signing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from engine.errors import InvalidForm
from engine.inbox import LONGEST_NOTE
from engine.views import Actor, Signature, TaskDetail, TaskView
from handlers.contract import FieldError, Problem, WaybillError
from web import accounts, order_search
from web.accounts.away import is_away
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Input, Listing, Money, Output, Paging, Step, Time, under
from web.problems import ApiProblem, bad_input, problem_of
from web.problems import body as problem_body
from web.reauth import How, check_again

calls = Calls("tasks")
MOST_AT_ONCE = 100
"""Tasks that one call completes."""

# --- models ----------------------------------------------------------------------------------------------------------


class TaskQuery(Paging):
    """Which tasks."""

    team: str | None = Field(None, max_length=80)
    mine: bool = False
    order: str | None = Field(None, max_length=80, description="Business key of one order or instance.")
    step: int | None = Field(None, ge=1, le=1000)
    q: str | None = Field(None, max_length=200, description="Any number of the order; the start of its number or of "
                          "words of the customer's name, e-mail, city or reference; a SKU; a part of the task's name.")
    overdue: bool = False


class TaskOut(Output):
    """A task as a row of the inbox."""

    id: str
    name: str
    step: int | None = Field(description="1–20, or null for a task beside the steps.")
    order: str
    process: str
    element: str
    team: str
    assignee: str | None
    claimed_at: Time | None
    created_at: Time
    due_at: Time | None
    priority: int = Field(description="0 usual, 1 escalated.")
    kind: Literal["form", "approval"]
    state: Literal["open", "done", "withdrawn"]
    revision: int
    completed_by: str | None
    completed_at: Time | None
    reason: str | None = Field(description="Why it was opened, when something went wrong before; such as a refusal.")
    draft_revision: int = Field(description="Grows with every change of the draft; 0: there was none.")
    draft_by: str | None = Field(description="Who typed the draft.")
    draft_at: Time | None


class TaskList(Listing[TaskOut]):
    """A page of tasks."""


class FactOut(Output):
    """A line of what a person should see above the form."""

    label: str
    value: str


class SignatureOut(Output):
    """One person's signature under a gate."""

    actor: str
    decision: Literal["approve", "reject", "send_back"]
    comment: str
    at: Time
    snapshot: str
    printed_name: str = Field(description="The person's name as it was then.")
    meaning: str = Field(description="The sentence that was signed.")
    proof: str = Field(description="With what the person proved who they are, such as `password`.")
    on_behalf_of: str | None = Field(description="Whose right was used, under a delegation.")
    emergency: bool = Field(description="The gate was opened without its approvers.")
    version: int | None = Field(description="The version of the process in which it was signed.")
    void_at: Time | None = Field(description="Since when it does not count any more.")
    void_why: str | None


class Signatures(Output):
    """How many signatures a gate has and needs."""

    have: int
    need: int


class ApprovalOut(Output):
    """What an approver should know beside the submission."""

    signatures: Signatures
    signed: list[SignatureOut]
    submits: list[Step] = Field(description="The steps under review.")
    send_back_to: list[Step] = Field(description="The steps that may be chosen for send_back.")
    blocked: str | None = Field(description="Why the caller may not sign, or null.")
    workers: list[str] = Field(description="Who did a task of the order and therefore may not sign.")
    earlier: list[SignatureOut] = Field(description="Decisions of earlier visits to this gate.")
    void: list[SignatureOut] = Field(description="Signatures that do not count: what was signed has changed.")
    acts_for: str | None = Field(description="For whom the caller would sign, under a delegation.")
    up_to: Money | None = Field(description="What an order may be worth at most for that; null: anything.")


class TaskDetailOut(TaskOut):
    """A task with all that is needed to do it."""

    form: dict[str, Any] = Field(
        description="JSON Schema of `data`; `examples` holds one sample that is valid for this task now."
    )
    ui: dict[str, Any]
    data: dict[str, Any] = Field(description="What the form starts with, or what was submitted.")
    draft: Any = None
    instructions: str
    facts: list[FactOut]
    incident: str | None
    submission: dict[str, Any] | None = Field(description="Of an approval: exactly what is signed.")
    snapshot: str | None = Field(description="Of an approval: the submission's hash; send it with the decision.")
    approval: ApprovalOut | None


class AwayOut(Output):
    """That somebody is away."""

    until: Time | None = Field(description="When they are back; null until they say so.")
    stand_in: str | None = Field(description="User name of who answers for them meanwhile.")


class AssignedOut(TaskOut):
    """A task that was given to somebody."""

    away: AwayOut | None = Field(description="The person is away; null when they are there.")


class Assign(Input):
    """Who is to do a task."""

    to: str = Field(min_length=1, max_length=80, description="User name.")


class TakeOver(Input):
    """Why a colleague's task is taken."""

    note: str = Field(min_length=1, max_length=LONGEST_NOTE, description="Kept in the history.")


class Draft(Input):
    """A form as far as it is filled in."""

    data: Any = Field(description="Kept as it is, unchecked.")
    revision: int | None = Field(
        None, ge=0, description="The `draft_revision` this builds on. 409 `draft-changed`: there is a newer one."
    )


class Complete(Input):
    """A filled in form."""

    data: dict[str, Any] = Field(description="Valid by the task's `form`.")
    revision: int | None = Field(None, ge=0, description="Refused with 409 when the task has another by now.")
    draft_revision: int | None = Field(
        None, ge=0, description="Refused with 409 `draft-changed` when somebody saved another draft since."
    )


class CompleteOne(Complete):
    """A filled in form of one of several tasks."""

    id: str = Field(min_length=1, max_length=36)


class CompleteMany(Input):
    """Filled in forms of several tasks."""

    items: list[CompleteOne] = Field(min_length=1, max_length=MOST_AT_ONCE)


class OneCompleted(Output):
    """What became of one task."""

    id: str
    status: int = Field(description="What the task's own call would have answered: 200, 404, 409, 422 …")
    task: TaskOut | None = Field(description="The task, where it is done now.")
    problem: dict[str, Any] | None = Field(description="Why it is not; nothing of it was changed.")


class ManyCompleted(Output):
    """A result for each, in the order of the items."""

    items: list[OneCompleted]


class Decide(Input):
    """A decision at a gate, signed with the caller's own password."""

    decision: Literal["approve", "reject", "send_back"]
    comment: str = Field("", max_length=4000, description="The reason; required for reject and send_back.")
    send_back_to: int | None = Field(None, ge=1, le=1000, description="Step number; required for send_back.")
    snapshot: str = Field(min_length=1, max_length=128)
    password: str = Field(min_length=1, max_length=1000)
    code: str = Field("", max_length=200, description="A code of the authenticator app, or a recovery code; required "
                      "of callers who have a second factor.")


class Decided(Output):
    """The gate after a signature."""

    task: TaskOut
    signatures: Signatures


# --- calls -----------------------------------------------------------------------------------------------------------


@calls.get("/tasks", permission="tasks.read", query=TaskQuery, returns={200: TaskList})
def list_tasks(caller: Caller, query: TaskQuery) -> TaskList:
    """List the open tasks of the caller's teams, soonest due first. Owner and admin see all."""
    engine = caller.services.engine
    page = engine.tasks(
        caller.actor, team=query.team, mine=query.mine, order=query.order, step=query.step, overdue=query.overdue,
        found=order_search.tasks_found(engine, query.q) if query.q else None,
        limit=query.size, cursor=query.cursor,
    )  # fmt: skip
    return TaskList(items=[task_out(task) for task in page.items], next=page.next)


@calls.get("/tasks/<id>", permission="tasks.read", returns={200: TaskDetailOut}, problems=(404,))
def get_task(caller: Caller, id: str) -> TaskDetailOut:  # noqa: A002 - the path's own word
    """Look at one task, open or done, with its form or submission."""
    return _detail(caller.services.engine.task(id, caller.actor))


@calls.post("/tasks/<id>/claim", permission="tasks.work", returns={200: TaskOut}, problems=(404, 409))
def claim_task(caller: Caller, id: str) -> TaskOut:  # noqa: A002
    """Take a task, so that nobody else does it. 409 names who has it."""
    return task_out(caller.services.engine.claim(id, caller.actor))


@calls.post("/tasks/<id>/release", permission="tasks.work", returns={200: TaskOut}, problems=(404, 409))
def release_task(caller: Caller, id: str) -> TaskOut:  # noqa: A002
    """Give a task back to its team."""
    return task_out(caller.services.engine.release(id, caller.actor))


@calls.post("/tasks/<id>/assign", permission="tasks.work", body=Assign, returns={200: AssignedOut}, problems=(404, 409))
def assign_task(caller: Caller, id: str, body: Assign) -> AssignedOut:  # noqa: A002
    """Give a task to somebody of its team. Who is away gets it too; `away` in the answer says so."""
    with caller.services.engine.reading() as session:
        user = accounts.find_user(session, body.to)
        # nobody is in no team: the engine says so, after it has said whether the task is there at all
        there = user is not None and user.active
        person = accounts.actor(user, caller.services.teams.known()) if user and there else Actor(body.to)
    task = task_out(caller.services.engine.assign(id, caller.actor, person))
    away = None
    if user is not None and is_away(user, caller.services.clock.now()):
        away = AwayOut(until=user.away_until, stand_in=user.stand_in)
    return AssignedOut(**task.model_dump(), away=away)


@calls.post(
    "/tasks/<id>/take-over", permission="tasks.work", body=TakeOver, returns={200: TaskOut}, problems=(404, 409)
)
def take_over_task(caller: Caller, id: str, body: TakeOver) -> TaskOut:  # noqa: A002
    """Take a task from the colleague who has it, with a note. What was typed stays."""
    return task_out(caller.services.engine.take_over(id, caller.actor, body.note))


@calls.put("/tasks/<id>/draft", permission="tasks.work", body=Draft, returns={200: TaskOut}, problems=(404, 409))
def save_draft(caller: Caller, id: str, body: Draft) -> TaskOut:  # noqa: A002
    """Keep a half filled in form. Answers with its `draft_revision`; with `revision`, nothing newer is overwritten."""
    return task_out(caller.services.engine.save_task_draft(id, caller.actor, body.data, revision=body.revision))


@calls.post("/tasks/<id>/complete", permission="tasks.work", body=Complete, returns={200: TaskOut}, problems=(404, 409))
def complete_task(caller: Caller, id: str, body: Complete) -> TaskOut:  # noqa: A002
    """Submit a form. Claims the task if nobody has; 422 names the fields by their place in this body (`/data/…`)."""
    with _faults_under("/data"):
        return task_out(caller.services.engine.complete(
            id, caller.actor, body.data, revision=body.revision, draft_revision=body.draft_revision
        ))  # fmt: skip


@calls.post("/tasks/complete", permission="tasks.work", body=CompleteMany, returns={200: ManyCompleted})
def complete_tasks(caller: Caller, body: CompleteMany) -> ManyCompleted:
    """Submit the forms of several tasks, each by itself: one that is refused keeps none of the others back. Fields of a
    422 are named by their place in this body (`/items/3/data/…`)."""
    return ManyCompleted(items=[_completed(caller, place, one) for place, one in enumerate(body.items)])


@calls.post(
    "/tasks/<id>/decide", permission="tasks.work", body=Decide, returns={200: Decided}, problems=(404, 409, 429)
)
def decide_task(caller: Caller, id: str, body: Decide) -> Decided:  # noqa: A002
    """Sign a gate: approve, reject or send back. Asks for the caller's own password again, and for
    a code where the caller has a second factor."""
    proof = check_signer(caller, body.password, body.code, tasks=[id], decision=body.decision)
    task, have, need = caller.services.engine.decide(
        id, caller.actor, body.decision, comment=body.comment, snapshot=body.snapshot, send_back_to=body.send_back_to,
        proof=proof,
    )  # fmt: skip
    return Decided(task=task_out(task), signatures=Signatures(have=have, need=need))


def check_signer(
    caller: Caller, password: str, code: str, *, tasks: Sequence[str], decision: str = "approve"
) -> How:
    """Asks the caller, who signs these gates, who they are once more. 403 for a wrong password or code, which is
    recorded at each gate; 429 after too many of them."""
    checked = check_again(caller.services, caller.actor.name, password, code)
    if checked.how is not None:
        return checked.how
    errors = [FieldError(f"/{name}", message) for name, message in checked.errors.items()]
    if checked.wait:
        raise ApiProblem(
            "too-many", f"Too many wrong passwords or codes. Wait {checked.wait} seconds.",
            headers={"Retry-After": str(checked.wait)},
        )
    slug = "wrong-code" if "code" in checked.errors else "wrong-password"
    for task in tasks:
        caller.services.engine.signing_refused(task, caller.actor, errors[0].message, decision=decision)
    raise ApiProblem(slug, errors[0].message, errors=errors)


def _completed(caller: Caller, place: int, one: CompleteOne) -> OneCompleted:
    try:
        with _faults_under(f"/items/{place}/data"):
            task = caller.services.engine.complete(
                one.id, caller.actor, one.data, revision=one.revision, draft_revision=one.draft_revision
            )
    except (ApiProblem, WaybillError) as error:
        problem = error if isinstance(error, ApiProblem) else problem_of(error)
        return OneCompleted(id=one.id, status=problem.kind.status, task=None, problem=problem_body(problem))
    return OneCompleted(id=one.id, status=200, task=task_out(task), problem=None)


# --- parts -----------------------------------------------------------------------------------------------------------


@contextmanager
def _faults_under(prefix: str) -> Iterator[None]:
    """Faults of a form are named by their place in the whole body."""
    try:
        yield
    except (InvalidForm, Problem) as error:
        raise bad_input(*(under(prefix, one) for one in error.errors)) from None


def task_out(task: TaskView) -> TaskOut:
    """A task as the API shows it."""
    return TaskOut.model_validate(task)


def _detail(detail: TaskDetail) -> TaskDetailOut:
    approval = detail.approval
    return TaskDetailOut(
        **task_out(detail.task).model_dump(),
        form=dict(detail.form),
        ui=dict(detail.ui),
        data=dict(detail.data),
        draft=detail.draft,
        instructions=detail.instructions,
        facts=[FactOut.model_validate(fact) for fact in detail.facts],
        incident=detail.incident,
        submission=dict(approval.submission) if approval else None,
        snapshot=approval.snapshot if approval else None,
        approval=ApprovalOut(
            signatures=Signatures(have=sum(s.decision == "approve" for s in approval.signatures), need=approval.need),
            signed=_signatures(approval.signatures),
            submits=_steps(approval.submits),
            send_back_to=_steps(approval.send_back_to),
            blocked=approval.blocked,
            workers=list(approval.workers),
            earlier=_signatures(approval.earlier),
            void=_signatures(approval.void),
            acts_for=approval.acts_for,
            up_to=Money.model_validate(approval.up_to) if approval.up_to else None,
        )
        if approval
        else None,
    )


def _steps(steps: tuple[tuple[int, str], ...]) -> list[Step]:
    return [Step(number=number, name=name) for number, name in steps]


def _signatures(signatures: tuple[Signature, ...]) -> list[SignatureOut]:
    return [SignatureOut.model_validate(signature) for signature in signatures]
