"""A new order, and the page of one order: the one place for everything about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for

from engine.errors import NotFound
from engine.views import DiagramView, EventView, InstanceView, JobView, Journey, StepView
from handlers.archive import so_far
from handlers.countries import country_name
from handlers.documents import NotStored
from handlers.orders import next_order_number
from web import order_facts, queries
from web.headers import use_policy
from web.names import who
from web.pages.history import FEW, MORE, MOST, History, Sentence, history_of, notes_of
from web.pages.history_words import decision_words
from web.pages.shell import me, page_of, times
from web.permissions import permission
from web.queries import PROCESS
from web.rows import DocumentRow, OpenTask, OrderDetail
from web.services import current_services
from web.texts import _

_MOVES = frozenset({"started", "completed", "timer", "message", "refused", "cancelled"})
"""Kinds of lines with which a token moves."""


@dataclass(frozen=True, slots=True)
class Step:
    """One mark of the strip."""

    number: int
    name: str
    state: str
    """done, now, failed or empty: to come."""
    gate: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """One decision at a gate, as it stands in the history."""

    at: datetime
    who: str
    words: str
    """`approved`, `sent it back to step 3`."""
    gate: str
    step: int | None
    comment: str
    snapshot: str
    have: int
    need: int


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Everything the page of one order shows."""

    detail: OrderDetail
    journey: Journey
    steps: tuple[Step, ...]
    history: History
    notes: tuple[Sentence, ...]
    signatures: tuple[Signed, ...]

    @property
    def instance(self) -> InstanceView:
        return self.journey.instance

    @property
    def incidents(self) -> tuple[JobView, ...]:
        return self.journey.incidents

    @property
    def diagrams(self) -> tuple[DiagramView, ...]:
        return self.journey.diagrams

    @property
    def open_tasks(self) -> tuple[OpenTask, ...]:
        return self.detail.row.open_tasks

    @property
    def is_order(self) -> bool:
        """Whether it is one of the shop's; an instance of another process has no customer, goods or money."""
        return self.instance.process == PROCESS

    @property
    def name(self) -> str:
        """The name of its process."""
        return next((d.name for d in self.diagrams if d.process == self.instance.process), self.instance.process)

    @property
    def live_part(self) -> str:
        """The template of what changes while the page is looked at."""
        return "parts/order_live.html" if self.is_order else "parts/instance_live.html"

    @property
    def last_step(self) -> int:
        """The number of the last step of its own version."""
        return max((step.number for step in self.steps), default=0)

    @property
    def cancel_until(self) -> StepView | None:
        """The step after which it can no longer be cancelled."""
        return next((step for step in self.journey.steps if step.commits), None)

    @property
    def since(self) -> datetime | None:
        """Since when it waits where it stands: when its token moved last."""
        moved = (e.at for e in reversed(self.journey.events) if e.kind in _MOVES)
        return next(moved, None)

    @property
    def head(self) -> str:
        """The hash of the newest line of its history, which covers all lines before."""
        return self.journey.events[-1].hash if self.journey.events else ""

    def marks(self, process: str) -> str:
        """The marks of one diagram as JSON for the viewer."""
        found = next((d.marks for d in self.diagrams if d.process == process), {})
        return json.dumps({k: v for k, v in found.items() if k}, sort_keys=True).replace("<", "\\u003c")


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/orders", "new_order", new, methods=["POST"])
    add("/orders/<number>", "order", show)
    add("/orders/<number>/live", "order_live", show_live)
    add("/orders/<number>/diagrams/<process>.bpmn", "order_diagram", diagram)
    add("/orders/<number>/documents/<name>", "order_document", document)


@permission("orders.create")
def new() -> Any:
    """Starts an order whose intake the person fills in: its first task is theirs, and its form is opened."""
    services, actor = current_services(), me().actor
    with services.engine.transaction() as session:
        number = next_order_number(session)
        services.engine.start(PROCESS, number, actor, variables={"intake": {"source": "page"}}, session=session)
    task = next((t for t in services.engine.order_tasks(number) if t.state == "open"), None)
    if task is None:
        return redirect(url_for("pages.order", number=number), 303)
    if task.team in actor.teams:
        services.engine.claim(task.id, actor)
    return redirect(url_for("pages.task", task_id=task.id), 303)


@permission("orders.read")
def show(number: str) -> Any:
    """The page of one order."""
    use_policy("diagram")
    page = load(number)
    template = "order.html" if page.is_order else "instance.html"
    section = "orders" if page.is_order else "processes"
    return page_of(template, section=section, page=page, live_html=page_of(page.live_part, **_live_values(page)))


@permission("orders.read")
def show_live(number: str) -> Any:
    """What changes on the page of an order, asked for every few seconds: 204 when nothing has."""
    with current_services().database.read() as session:
        change = order_facts.change(session, number)
    if change is not None and request.args.get("v") == _version(change):
        return make_response("", 204)
    page = load(number)
    return make_response(page_of(page.live_part, **_live_values(page)))


def _live_values(page: OrderPage) -> dict[str, Any]:
    return {
        "page": page,
        "country": country_name(page.detail.country),
        "version": _version(page.detail.change),
        "asked": _history_asked(),
        "more_lines": MORE,
    }


def _version(change: str) -> str:
    """What a browser has: the state of the order, and the minute, because `25 min late` is right for one."""
    return hashlib.sha256(f"{change}|{times().now:%Y-%m-%dT%H:%M}".encode()).hexdigest()[:16]


def _history_asked() -> dict[str, Any]:
    """Which part of the history the address asks for, as far as it is not the usual."""
    show, lines = request.args.get("show"), request.args.get("lines", type=int)
    return {
        **({"show": show} if show in ("people", "system") else {}),
        **({"lines": min(lines, MOST)} if lines is not None and lines > FEW else {}),
    }


@permission("orders.read")
def diagram(number: str, process: str) -> Response:
    """The diagram that an order runs on."""
    xml = current_services().engine.diagram_xml(number, process)
    if xml is None:
        abort(404)
    return xml_answer(xml)


def xml_answer(xml: str) -> Response:
    """A diagram, kept by the browser as long as it is the same."""
    answer = make_response(xml)
    answer.content_type = "application/xml; charset=utf-8"
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@permission("orders.read")
def document(number: str, name: str) -> Response:
    """A document of an order."""
    with current_services().database.read() as session:
        found = order_facts.document(session, number, name)
    if found is not None:
        return file_answer(number, found)
    if name not in ("evidence.pdf", "evidence.json"):
        abort(404)
    services = current_services()
    answer = make_response(services.engine.look(number, lambda call: so_far(call, services.ports, name)))
    answer.content_type = "application/pdf" if name.endswith("pdf") else "application/json"
    return _sent(answer, f"{number}-so-far-{name}")


def file_answer(number: str, found: DocumentRow) -> Response:
    """The bytes of a document, under a name that tells the order."""
    try:
        content = current_services().ports.files.get(found.sha256)
    except NotStored:
        abort(404)
    answer = make_response(content)
    answer.content_type = found.content_type
    return _sent(answer, f"{number}-{found.name}")


def _sent(answer: Response, name: str) -> Response:
    # a browser's PDF viewer does not start in a sandbox; everything else is only saved
    is_pdf = answer.content_type == "application/pdf"
    way = "inline" if is_pdf else "attachment"
    answer.headers["Content-Disposition"] = f'{way}; filename="{name}"'
    rules = "style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'" if is_pdf else "sandbox"
    answer.headers["Content-Security-Policy"] = f"default-src 'none'; {rules}"
    return answer


def load(number: str) -> OrderPage:
    """Asks for everything the page shows: a fixed number of statements."""
    with current_services().database.read() as session:
        detail = queries.order_detail(session, number)
    if detail is None:
        raise NotFound(f"There is no order {number}.")
    journey = current_services().engine.journey(number)
    return OrderPage(
        detail=detail,
        journey=journey,
        steps=_steps(journey),
        history=history_of(journey.events, who, **_history_asked()),
        notes=notes_of(journey.events, who),
        signatures=_signatures(journey.events),
    )


def _steps(journey: Journey) -> tuple[Step, ...]:
    instance = journey.instance
    done = {e.step for e in journey.events if e.kind == "completed" and e.step is not None}
    failed = {job.step for job in journey.incidents if job.step is not None}
    live_now = instance.status == "open"
    found = []
    for step in journey.steps:
        state = "done" if step.number in done else ""
        if live_now and step.number == instance.step:
            state = "now"
        elif live_now and instance.step is not None and step.number > instance.step:
            state = ""  # done before a send-back: to be done again
        if step.number in failed:
            state = "failed"
        found.append(Step(step.number, step.name, state, step.is_gate))
    return tuple(found)


def _signer(event: EventView) -> str:
    """Who signed, and for whom."""
    whose = str(event.detail.get("on_behalf_of") or "")
    name = who(event.actor)
    return _("%(told)s, for %(name)s", told=name, name=who(whose)) if whose else name


def _signatures(events: Sequence[EventView]) -> tuple[Signed, ...]:
    """Who decided what at a gate, oldest first."""
    return tuple(
        Signed(
            at=event.at, who=_signer(event), words=decision_words(event.detail), gate=event.name or "",
            step=event.step, comment=str(event.detail.get("comment") or ""), snapshot=str(event.detail["snapshot"]),
            have=int(event.detail.get("have") or 1), need=int(event.detail.get("need") or 1),
        )
        for event in events
        if event.kind in ("signed", "completed") and event.detail.get("decision") and event.detail.get("snapshot")
    )  # fmt: skip
