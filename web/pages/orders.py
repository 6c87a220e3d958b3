"""Orders: the list, a new one, and the page of one order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for

from engine.errors import NotFound
from engine.views import DiagramView, EventView, InstanceView, JobView, TaskView
from handlers.countries import country_name
from handlers.documents import NotStored
from handlers.orders import next_order_number
from web import order_facts, queries
from web.headers import use_policy
from web.pages.history import Sentence, sentences
from web.pages.shell import first, live, me, page_of, searched, step_asked, who
from web.permissions import permission
from web.queries import PROCESS
from web.rows import DocumentRow, OrderDetail
from web.services import current_services

_PER_PAGE = 50
_STATES = ("open", "closed", "cancelled")


@dataclass(frozen=True, slots=True)
class Step:
    """One mark of the strip."""

    number: int
    name: str
    state: str
    """done, now, failed or empty: to come."""
    gate: bool


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Everything the page of one order shows."""

    detail: OrderDetail
    instance: InstanceView
    steps: tuple[Step, ...]
    tasks: tuple[TaskView, ...]
    incidents: tuple[JobView, ...]
    history: tuple[Sentence, ...]
    diagrams: tuple[DiagramView, ...]

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
    def open_tasks(self) -> tuple[TaskView, ...]:
        return tuple(task for task in self.tasks if task.state == "open")

    def marks(self, process: str) -> str:
        """The marks of one diagram as JSON for the viewer."""
        found = next((d.marks for d in self.diagrams if d.process == process), {})
        return json.dumps({k: v for k, v in found.items() if k}, sort_keys=True).replace("<", "\\u003c")


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/orders", "orders", listing)
    add("/orders", "new_order", new, methods=["POST"])
    add("/orders/<number>", "order", show)
    add("/orders/<number>/live", "order_live", show_live)
    add("/orders/<number>/diagrams/<process>.bpmn", "order_diagram", diagram)
    add("/orders/<number>/documents/<name>", "order_document", document)


@permission("orders.read")
def listing() -> Any:
    """Orders, newest first; a search that names one order goes straight to it."""
    q, step = searched(), step_asked()
    state = request.args.get("state")
    with current_services().database.read() as session:
        if q and not state and (number := queries.find_order(session, q)) is not None:
            return redirect(url_for("pages.order", number=number))
        try:
            rows = queries.order_rows(
                session,
                state=("open", "cancelling") if state == "open" else state if state in _STATES else None,
                q=q or None,
                step=step,
                limit=_PER_PAGE,
                cursor=request.args.get("cursor"),
            )
        except ValueError:
            return redirect(url_for("pages.orders"))
        counts = queries.state_counts(session)
    counts["open"] = counts.get("open", 0) + counts.pop("cancelling", 0)
    return page_of(
        "orders.html",
        section="orders",
        rows=rows,
        counts=counts,
        total=sum(counts.values()),
        state=state if state in _STATES else None,
        q=q,
        step=step,
    )


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
    return page_of(template, section=section, page=page, live_html=first(page.live_part, **_live_values(page)))


@permission("orders.read")
def show_live(number: str) -> Any:
    """What changes on the page of an order, asked for every few seconds."""
    page = load(number)
    return live(page.live_part, **_live_values(page))


def _live_values(page: OrderPage) -> dict[str, Any]:
    return {"page": page, "country": country_name(page.detail.country)}


@permission("orders.read")
def diagram(number: str, process: str) -> Response:
    """The diagram that an order runs on."""
    found = next((d for d in current_services().engine.diagrams(number) if d.process == process), None)
    if found is None:
        abort(404)
    return xml_answer(found.xml)


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
    if found is None:
        abort(404)
    return file_answer(number, found)


def file_answer(number: str, found: DocumentRow) -> Response:
    """The bytes of a document, under a name that tells the order."""
    try:
        content = current_services().ports.files.get(found.sha256)
    except NotStored:
        abort(404)
    answer = make_response(content)
    answer.content_type = found.content_type
    # a browser's PDF viewer does not start in a sandbox; everything else is only saved
    is_pdf = found.content_type == "application/pdf"
    way = "inline" if is_pdf else "attachment"
    answer.headers["Content-Disposition"] = f'{way}; filename="{number}-{found.name}"'
    rules = "style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'" if is_pdf else "sandbox"
    answer.headers["Content-Security-Policy"] = f"default-src 'none'; {rules}"
    return answer


def load(number: str) -> OrderPage:
    """Asks for everything the page shows: a fixed number of statements."""
    engine = current_services().engine
    with current_services().database.read() as session:
        detail = queries.order_detail(session, number)
    if detail is None:
        raise NotFound(f"There is no order {number}.")
    events = engine.history(number)
    diagrams = tuple(engine.diagrams(number))
    tasks = tuple(engine.order_tasks(number))
    instance = engine.instance(number)
    jobs = engine.jobs(state="dead", order=number).items if detail.row.incidents else ()
    return OrderPage(
        detail=detail,
        instance=instance,
        steps=_steps(instance, events, tasks, jobs),
        tasks=tasks,
        incidents=jobs,
        history=tuple(sentences(events, who)),
        diagrams=diagrams,
    )


def _steps(
    instance: InstanceView, events: list[EventView], tasks: tuple[TaskView, ...], jobs: tuple[JobView, ...]
) -> tuple[Step, ...]:
    done = {e.step for e in events if e.kind == "completed" and e.step is not None}
    failed = {job.step for job in jobs if job.step is not None}
    live_now = instance.status == "open"
    gates = {task.step for task in tasks if task.kind == "approval"} | {5, 8}
    found = []
    for number, name, _team in current_services().engine.steps(instance.process):
        state = "done" if number in done else ""
        if live_now and number == instance.step:
            state = "now"
        elif live_now and instance.step is not None and number > instance.step:
            state = ""  # done before a send-back: to be done again
        if number in failed:
            state = "failed"
        found.append(Step(number, name, state, number in gates))
    return tuple(found)
