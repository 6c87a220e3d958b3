"""Gates beside one decision: several at once, an emergency, the alarms it raises, and delegations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from engine.approvals import MOST_AT_ONCE, Signed
from engine.delegations import LONGEST_REASON, MOST
from engine.emergencies import LONGEST_NOTE, SHORTEST_REASON
from engine.views import AlarmView, Amount, DelegationView
from handlers.contract import FieldError
from handlers.money import is_currency
from web.api.auth import Caller
from web.api.endpoint import Calls, Reply
from web.api.models import Input, Listing, Money, Output, Query, Time
from web.api.tasks import Signatures, TaskOut, check_signer, task_out
from web.pages.notices import tell_of_loan
from web.problems import ApiProblem, bad_input, problem_of
from web.problems import body as problem_body

calls = Calls("gates")
CODE = "A code of the authenticator app, or a recovery code; required of callers who have a second factor."
MOST_NAMED = 200
"""Items of one call; the engine takes fewer, and keeps it when somebody tried more."""

When = Annotated[datetime, Field(strict=False, description="RFC 3339 with an offset, or in UTC.")]

# --- models ----------------------------------------------------------------------------------------------------------


class DecideOne(Input):
    """One gate to approve, as it was read."""

    id: str = Field(min_length=1, max_length=36)
    snapshot: str = Field(min_length=1, max_length=128)


class DecideMany(Input):
    """Gates to approve together, each signed by itself with the caller's own password."""

    items: list[DecideOne] = Field(min_length=1, max_length=MOST_NAMED, description=f"At most {MOST_AT_ONCE}.")
    comment: str = Field("", max_length=4000)
    password: str = Field(min_length=1, max_length=1000)
    code: str = Field("", max_length=200, description=CODE)


class OneDecided(Output):
    """What became of one gate."""

    id: str
    status: int = Field(description="What the gate's own call would have answered: 200, 403, 404, 409 …")
    task: TaskOut | None = Field(description="The gate, where it was signed.")
    signatures: Signatures | None
    problem: dict[str, Any] | None = Field(description="Why it was not; nothing of it was changed.")


class ManyDecided(Output):
    """A result for each, in the order of the items."""

    items: list[OneDecided]


class Override(Input):
    """An emergency: a gate is opened without its approvers."""

    reason: str = Field(min_length=SHORTEST_REASON, max_length=4000, description="Kept in the history and the alarm.")
    snapshot: str = Field(min_length=1, max_length=128)
    password: str = Field(min_length=1, max_length=1000)
    code: str = Field("", max_length=200, description=CODE)


class AlarmQuery(Query):
    """Which alarms."""

    all: bool = Field(False, description="Also those that somebody has acknowledged.")


class AlarmOut(Output):
    """Something that must not be overlooked."""

    id: int
    kind: Literal["override"]
    order: str
    task: str
    element: str
    name: str
    team: str
    raised_by: str
    raised_at: Time
    why: str
    acknowledged_by: str | None
    acknowledged_at: Time | None
    note: str | None


class AlarmList(Listing[AlarmOut]):
    """Alarms, the newest first. There is one page."""


class Acknowledge(Input):
    """That somebody has looked at an alarm."""

    note: str = Field(min_length=1, max_length=LONGEST_NOTE, description="What was found.")


class DelegationQuery(Query):
    """Which delegations."""

    state: Literal["planned", "running", "ended", "revoked"] | None = None


class UpTo(Input):
    """An amount in minor units of its ISO 4217 currency: 500000 USD is 5,000.00 dollars."""

    amount: int = Field(ge=1, le=MOST)
    currency: str = Field(min_length=3, max_length=3)


class DelegationIn(Input):
    """The right to sign, lent to somebody for a time."""

    principal: str | None = Field(
        None, min_length=1, max_length=80, description="Whose right; the caller's own. An administrator names another."
    )
    to: str = Field(min_length=1, max_length=80, description="User name of whoever may sign for them.")
    team: str = Field(min_length=1, max_length=80, description="As whose member they sign.")
    gates: list[Annotated[str, Field(min_length=1, max_length=120)]] = Field(
        default_factory=list, max_length=50, description="Ids of gates of that team; none: all of them."
    )
    starts_at: When
    ends_at: When
    reason: str = Field(min_length=1, max_length=LONGEST_REASON)
    up_to: UpTo | None = Field(
        None, description="What an order may be worth at most for them to sign it: at gate 5 the goods before tax, at "
        "gate 8 the invoice's total, at both also what was ordered together. Another currency is above it. Null: no "
        "limit."
    )


class DelegationOut(Output):
    """One person's right to sign, lent to another for a time."""

    id: str
    principal: str
    delegate: str
    team: str
    gates: list[str]
    starts_at: Time
    ends_at: Time
    reason: str
    made_by: str
    made_at: Time
    revoked_by: str | None
    revoked_at: Time | None
    state: Literal["planned", "running", "ended", "revoked"]
    up_to: Money | None = Field(description="What an order may be worth at most; null: anything.")


class DelegationList(Listing[DelegationOut]):
    """Delegations, the newest first. There is one page."""


class Revoke(Input):
    """Why a delegation ends now."""

    reason: str = Field("", max_length=LONGEST_REASON)


# --- calls -----------------------------------------------------------------------------------------------------------


@calls.post("/tasks/decide", permission="tasks.work", body=DecideMany, returns={200: ManyDecided}, problems=(429,))
def decide_tasks(caller: Caller, body: DecideMany) -> ManyDecided:
    """Approve several gates, each by itself: one that is refused keeps none of the others back. To reject or to send
    back, decide the gate alone."""
    proof = check_signer(caller, body.password, body.code, tasks=[one.id for one in body.items[:MOST_AT_ONCE]])
    signed = caller.services.engine.decide_many(
        caller.actor, [(one.id, one.snapshot) for one in body.items], comment=body.comment, proof=proof
    )
    return ManyDecided(items=[_decided(one) for one in signed])


@calls.post(
    "/tasks/<id>/override", permission="tasks.work", body=Override, returns={200: TaskOut}, problems=(404, 409, 429)
)
def override_task(caller: Caller, id: str, body: Override) -> TaskOut:  # noqa: A002 - the path's own word
    """Open a gate in an emergency, without its approvers. For the owner; it raises an alarm that somebody else has to
    acknowledge."""
    proof = check_signer(caller, body.password, body.code, tasks=[id])
    return task_out(caller.services.engine.override(
        id, caller.actor, reason=body.reason, snapshot=body.snapshot, proof=proof
    ))  # fmt: skip


@calls.get("/alarms", permission="alarms.read", query=AlarmQuery, returns={200: AlarmList})
def list_alarms(caller: Caller, query: AlarmQuery) -> AlarmList:
    """List the alarms that nobody has acknowledged: of the caller's gates; owner and admin see all."""
    return AlarmList(items=[_alarm(one) for one in caller.services.engine.alarms(
        caller.actor, unacknowledged=not query.all
    )])  # fmt: skip


@calls.post(
    "/alarms/<id>/acknowledge", permission="alarms.read", body=Acknowledge, returns={200: AlarmOut},
    problems=(404, 409),
)  # fmt: skip
def acknowledge_alarm(caller: Caller, id: str, body: Acknowledge) -> AlarmOut:  # noqa: A002
    """Say what you found about an alarm that another person raised; it goes off the list."""
    if not (id.isascii() and id.isdigit() and len(id) < 10):
        raise ApiProblem("not-found")
    return _alarm(caller.services.engine.acknowledge_alarm(int(id), caller.actor, body.note))


@calls.get("/delegations", permission="delegations", query=DelegationQuery, returns={200: DelegationList})
def list_delegations(caller: Caller, query: DelegationQuery) -> DelegationList:
    """List the delegations that the caller gave or was given. Owner and admin see all."""
    found = caller.services.engine.delegations(caller.actor, state=query.state)
    return DelegationList(items=[_delegation(one) for one in found])


@calls.post("/delegations", permission="delegations", body=DelegationIn, returns={201: DelegationOut})
def create_delegation(caller: Caller, body: DelegationIn) -> Reply:
    """Lend the right to sign to another person, for at most 90 days. Nobody can pass on what was lent to them."""
    up_to = Amount(body.up_to.amount, body.up_to.currency) if body.up_to else None
    if up_to is not None and not is_currency(up_to.currency):
        raise bad_input(FieldError("/up_to/currency", "Give an ISO 4217 code such as USD."))
    made = caller.services.engine.delegate(
        caller.actor, principal=body.principal or caller.actor.name, to=body.to, team=body.team, gates=body.gates,
        starts_at=body.starts_at, ends_at=body.ends_at, reason=body.reason, up_to=up_to,
    )  # fmt: skip
    tell_of_loan(caller.actor, made)
    return Reply(_delegation(made), 201)


@calls.post(
    "/delegations/<id>/revoke", permission="delegations", body=Revoke, returns={200: DelegationOut},
    problems=(404, 409), may_be_empty=True,
)  # fmt: skip
def revoke_delegation(caller: Caller, id: str, body: Revoke) -> DelegationOut:  # noqa: A002
    """End a delegation at once. Either of the two people may, and an administrator."""
    return _delegation(caller.services.engine.revoke_delegation(id, caller.actor, body.reason))


# --- parts -----------------------------------------------------------------------------------------------------------


def _decided(one: Signed) -> OneDecided:
    if one.error is not None:
        problem = problem_of(one.error)
        return OneDecided(
            id=one.id, status=problem.kind.status, task=None, signatures=None, problem=problem_body(problem)
        )
    assert one.task is not None
    signatures = Signatures(have=one.have, need=one.need)
    return OneDecided(id=one.id, status=200, task=task_out(one.task), signatures=signatures, problem=None)


def _alarm(alarm: AlarmView) -> AlarmOut:
    return AlarmOut.model_validate(alarm)


def _delegation(delegation: DelegationView) -> DelegationOut:
    return DelegationOut.model_validate(delegation, from_attributes=True)
