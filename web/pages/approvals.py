"""The page of a gate: exactly what is signed, who did what, how order, stock and money stand, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, request

from engine.queue import MOST_COUNTED, Queue
from engine.views import Approval, Decision, DelegationView, EventView, TaskDetail, TaskView
from web.gate_facts import gate_facts
from web.names import everybody, named, who
from web.pages.history import Sentence, gathered
from web.pages.history_words import MACHINE
from web.pages.holding import held_by
from web.pages.shell import away, me, page_of, shell, word
from web.pages.shown import seal
from web.pages.submissions import changes, describe
from web.pages.withdrawn import why_withdrawn
from web.services import current_services
from web.texts import N_, _, ngettext

DECISIONS: tuple[Decision, ...] = ("approve", "send_back", "reject")
_LABELS = {"approve": N_("Approve"), "send_back": N_("Send back"), "reject": N_("Reject")}
_SAYS = {
    "approve": N_("Sign: approve"),
    "send_back": N_("Sign: send back to step %(step)s"),
    "reject": N_("Sign: reject"),
}
"""What the button says once a decision is chosen; the page's script knows the step."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A step under review: who did it and when, the one who did it last first."""

    number: int
    name: str
    done: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True, slots=True)
class Back:
    """The last time a gate was sent back, and what was done since."""

    by: str
    at: datetime
    step: int | None
    comment: str
    since: tuple[Sentence, ...]
    by_people: bool
    """Whether a person did any of it."""


def page(
    detail: TaskDetail,
    *,
    errors: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    notice: str | None = None,
    shown: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    """The gate's page, with what was typed and what is wrong with it. `shown`: what stood there when it was opened."""
    assert detail.approval is not None
    services, task, approval = current_services(), detail.task, detail.approval
    with services.database.read() as session:
        facts = gate_facts(session, [task.order]).get(task.order)
    history = services.engine.history(task.order)
    queue = shell(beside=None if approval.blocked else task, lent=detail.lent).queue
    asked = request.args.get("decision")
    lent = _lent(detail, approval)
    body = page_of(
        "approval.html",
        section="inbox",
        detail=detail,
        task=task,
        approval=approval,
        facts=facts,
        submission=describe(approval.submission),
        changes=changes(approval.earlier_submission, approval.submission) if approval.earlier_submission else (),
        sealed=seal(approval.submission),
        new=changes(shown, approval.submission) if shown is not None else (),
        times_back=sum(1 for signature in approval.earlier if signature.decision == "send_back"),
        back=_sent_back(history, task),
        reviewed=_reviewed(history, approval),
        history=gathered(history, who),
        can_sign=_can_sign(task, approval, lent),
        limits=[each for each in lent if each.delegate == me().name and each.up_to],
        queue=queue,
        waiting=_waiting(queue) if queue is not None else "",
        decisions=_decisions(approval),
        claims=task.state == "open" and (not approval.blocked or task.assignee == me().name),
        mine=task.assignee == me().name,
        locked=held_by(task) if task.assignee not in (None, me().name) else None,
        keep={},
        withdrawn=why_withdrawn(task) if task.state == "withdrawn" else None,
        errors=errors or {},
        typed=typed or ({"decision": asked} if asked in DECISIONS else {}),
        notice=notice,
    )
    return make_response(body, status)


def _waiting(queue: Queue) -> str:
    if queue.count > MOST_COUNTED:
        return _("more than %(most)s wait for you", most=MOST_COUNTED)
    return ngettext("%(num)s waits for you", "%(num)s wait for you", queue.count)


def _lent(detail: TaskDetail, approval: Approval) -> list[DelegationView]:
    """The delegations about this gate that run now, for somebody who cannot sign it and reads who can."""
    task, known = detail.task, detail.lent
    if task.state != "open" or not approval.blocked:
        return []
    running = current_services().engine.running_delegations(task.team) if known is None else known
    return [each for each in running if each.team == task.team and (not each.gates or task.element in each.gates)]


def _can_sign(task: TaskView, approval: Approval, lent: Sequence[DelegationView]) -> list[tuple[str, str]]:
    """Who may still sign, by name, with in which capacity: the people of the team, and those who sign for one. Nobody
    when the person who looks can."""
    if task.state != "open" or not approval.blocked:
        return []
    signed = {name for each in approval.signatures for name in (each.actor, each.on_behalf_of) if name}
    out = signed | set(approval.workers)
    people = {name: user for name, user in everybody().items() if user.active and name not in out}
    found = [
        (user.display_name, _as_what(word(task.team), user.name)) for user in people.values() if task.team in user.teams
    ]
    for each in lent:
        takes, lends = people.get(each.delegate), people.get(each.principal)
        covers = each.up_to is None or each.up_to.covers(approval.worth)
        if covers and takes is not None and lends is not None and task.team in lends.teams:
            capacity = _("for %(principal)s", principal=lends.display_name)
            found.append((takes.display_name, _as_what(capacity, takes.name)))
    return found


def _as_what(capacity: str, name: str) -> str:
    gone = away(name)
    return _("%(capacity)s, %(away)s", capacity=capacity, away=gone) if gone else capacity


def _reviewed(history: Iterable[EventView], approval: Approval) -> list[Reviewed]:
    """The steps under review, each with everybody who did something of it and when they did it last."""
    done: dict[int, dict[str, datetime]] = {number: {} for number, _name in approval.submits}
    for event in history:
        if event.kind == "completed" and event.step in done:
            done[event.step][event.actor] = event.at
    return [
        Reviewed(number, name, tuple(sorted(((who(one), at) for one, at in done[number].items()),
                                            key=lambda each: each[1], reverse=True)))
        for number, name in approval.submits
    ]  # fmt: skip


def _sent_back(history: Sequence[EventView], task: TaskView) -> Back | None:
    """The last send-back of this gate before this visit."""
    for index in range(len(history) - 1, -1, -1):
        event = history[index]
        if (
            event.element == task.element
            and event.kind == "completed"
            and event.detail.get("decision") == "send_back"
            and event.at <= task.created_at
        ):
            since = [e for e in history[index + 1 :] if e.kind in ("completed", "noted", "refused", "taken_over")]
            step = event.detail.get("send_back_to")
            return Back(
                who(event.actor), event.at, int(step) if step else None, str(event.detail.get("comment") or ""),
                tuple(gathered(since, who)), any(e.actor != MACHINE for e in since),
            )  # fmt: skip
    return None


def _decisions(approval: Approval) -> list[dict[str, str]]:
    """What may be decided here, with what each does and the sentence that is signed."""
    last = approval.need - len(approval.signatures) <= 1
    hints = {
        "approve": _("The order goes on") if last else _("The order waits for the next signature"),
        "send_back": _("The step is done again, then it comes back here; voids the signatures so far")
        if approval.signatures else _("The step is done again, then it comes back here"),
        "reject": _("Cancels the order and tells the customer"),
    }  # fmt: skip
    return [
        {"value": each, "label": _(_LABELS[each]), "hint": hints[each], "says": _(_SAYS[each]),
         "meaning": named(approval.meanings.get(each, ""), approval.acts_for)}
        for each in DECISIONS if each != "send_back" or approval.send_back_to
    ]  # fmt: skip
