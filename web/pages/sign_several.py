"""Several gates of one kind on one page: each submission compactly, each with its own tick, each signed by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.approvals import MOST_AT_ONCE
from engine.errors import InvalidForm, NotFound
from engine.views import Approval, TaskDetail, TaskView
from web.gate_facts import GateFacts, gate_facts
from web.names import named, who
from web.pages.errors import error_page
from web.pages.shell import me, page_of, times
from web.pages.signing import asked_again, following
from web.pages.submissions import Description, changes, describe
from web.permissions import permission
from web.services import current_services
from web.texts import _, ngettext


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/tasks/<task_id>/sign-several", "sign_several", show)
    pages.add_url_rule("/tasks/<task_id>/sign-several", "decide_several", submit, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Item:
    """One gate of the page."""

    task: TaskView
    approval: Approval
    facts: GateFacts | None
    submission: Description
    warnings: tuple[str, ...]
    """What differs from the usual: worth a look at the gate's own page."""
    chosen: bool
    why: str
    """Why it was not signed; empty when it was not tried."""

    @property
    def goes_on(self) -> bool:
        """Whether one more signature is enough."""
        return self.approval.need - len(self.approval.signatures) <= 1


@permission("tasks.work")
def show(task_id: str) -> Any:
    """The gates like this one that wait for the person, with those ticked that the address names."""
    detail = current_services().engine.task(task_id, me().actor)
    if refused := _unfit(detail):
        return refused
    return _page(detail.task, set(request.args.getlist("task")) or {task_id}, {})


@permission("tasks.work")
def submit(task_id: str) -> Any:
    """Signs every ticked gate by itself. Those that are refused stay ticked, each with its reason."""
    services, person = current_services(), me()
    detail = services.engine.task(task_id, person.actor)
    if refused := _unfit(detail):
        return refused
    chosen = list(dict.fromkeys(request.form.getlist("task")))
    comment = request.form.get("comment", "").strip()
    if not 0 < len(chosen) <= MOST_AT_ONCE:
        text = _("Tick at most %(most)s. You ticked %(ticked)s.", most=MOST_AT_ONCE, ticked=len(chosen))
        text = text if chosen else _("Tick at least one.")
        return _page(detail.task, set(chosen), {}, errors={"items": text}, comment=comment, status=422)
    proof, wrong = asked_again("approve", *chosen)
    if wrong:
        return _page(detail.task, set(chosen), {}, errors=wrong, comment=comment, status=422)
    try:
        results = services.engine.decide_many(
            person.actor, [(one, request.form.get(f"snapshot:{one}", "")) for one in chosen], comment=comment,
            proof=proof,
        )
    except InvalidForm as refusal:
        errors = {error.field.strip("/") or "items": error.message for error in refusal.errors}
        return _page(detail.task, set(chosen), {}, errors=errors, comment=comment, status=422)
    left = {result.id: named(result.error) for result in results if result.error is not None}
    done = [result for result in results if result.error is None and result.task is not None]
    waits = sum(1 for result in done if result.have < result.need)
    if left:
        return _page(detail.task, set(left), left, done=len(done), comment=comment, status=422)
    said = [ngettext("One gate is signed.", "%(num)s gates are signed.", len(done))]
    if waits:
        some = ngettext("One of them waits for another person.", "%(num)s of them wait for another person.", waits)
        said.append(some)
    rest = following(detail.task)
    flash(" ".join([*said, rest.said]))
    return redirect(rest.address, 303)


def _unfit(detail: TaskDetail) -> Any:
    """An error page where there is no gate to sign."""
    if detail.approval is None:
        return error_page(409, _("This is no approval"), _("It has a form to fill in."),
                          back=url_for("pages.task", task_id=detail.task.id))  # fmt: skip
    return None


def _page(
    like: TaskView, chosen: set[str], refused: Mapping[str, str], *, errors: Mapping[str, str] | None = None,
    comment: str = "", done: int = 0, status: int = 200,
) -> Any:
    """`like`: a gate of the kind. Each submission is composed anew, which costs some statements each: they are few."""
    services, person = current_services(), me()
    tasks = services.engine.like_gates(person.actor, like, MOST_AT_ONCE)
    details: list[TaskDetail] = []
    for task in tasks:
        try:
            details.append(services.engine.task(task.id, person.actor))
        except NotFound:
            continue  # gone since the list was read
    with services.database.read() as session:
        facts = gate_facts(session, (task.order for task in tasks))
    items = [_item(detail, facts.get(detail.task.order), chosen, refused) for detail in details
             if detail.approval is not None and detail.task.state == "open" and not detail.approval.blocked]
    there = {item.task.id for item in items}
    body = page_of(
        "sign_several.html", section="inbox", task=like, items=items, most=MOST_AT_ONCE, done=done, comment=comment,
        gone=[why for one, why in refused.items() if one not in there], errors=errors or {},
        meaning=_meaning(items),
    )
    return make_response(body, status)


def _item(detail: TaskDetail, facts: GateFacts | None, chosen: set[str], refused: Mapping[str, str]) -> Item:
    assert detail.approval is not None
    task = detail.task
    return Item(task, detail.approval, facts, describe(detail.approval.submission),
                tuple(_warnings(detail, detail.approval, facts)), task.id in chosen, refused.get(task.id, ""))


def _warnings(detail: TaskDetail, approval: Approval, facts: GateFacts | None) -> Sequence[str]:
    """What a person who signs many must not overlook."""
    found = []
    due = times().due(detail.task.due_at) if detail.task.due_at else None
    if due and due.late:
        found.append(due.rest[:1].upper() + due.rest[1:])
    if detail.task.reason:
        found.append(times().in_text(detail.task.reason))
    if detail.incident:
        found.append(_("A decision on it failed before"))
    back = [signature for signature in approval.earlier if signature.decision == "send_back"]
    if back and approval.earlier_submission is not None:
        changed = len(changes(approval.earlier_submission, approval.submission))
        found.append(_since_sent_back(who(back[-1].actor), changed))
    if facts is not None:
        if facts.short:
            found.append(_("Takes the last of %(products)s", products=", ".join(shelf.name for shelf in facts.short)))
        if facts.invoiced and facts.money.due > 0:
            found.append(_("Not fully paid"))
    if approval.void:
        found.append(_("An earlier signature is void: what was signed has changed"))
    return found


def _since_sent_back(by: str, changed: int) -> str:
    if not changed:
        return _("Sent back by %(person)s; nothing changed since", person=by)
    return ngettext("Sent back by %(person)s; %(num)s value changed since",
                    "Sent back by %(person)s; %(num)s values changed since", changed, person=by)


def _meaning(items: Sequence[Item]) -> str:
    return named(items[0].approval.meanings.get("approve", ""), items[0].approval.acts_for).rstrip(".") if items else ""

