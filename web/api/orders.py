"""Orders: place, list, look at, follow, fetch papers, cancel."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from pydantic import Field

from engine.commands import LONGEST_TEXT
from engine.errors import InvalidForm, NotFound
from handlers.archive import so_far
from handlers.contract import FieldError, Problem
from handlers.countries import find_country
from handlers.documents import NotStored
from handlers.orders import place
from web import order_search, queries
from web.api.auth import Caller
from web.api.endpoint import Calls, Header, Reply
from web.api.models import Input, Paging, bad_cursor, cursor_of, read_cursor
from web.api.order_models import (
    DOCUMENTS,
    EventList,
    EventOut,
    OrderDetailOut,
    OrderIn,
    OrderList,
    OrderOut,
    OrderQuery,
    detail_body,
    event_body,
    order_body,
)
from web.problems import ApiProblem, bad_input

calls = Calls("orders")

PROCESS = queries.PROCESS
_POINTERS = {
    "name": "/customer/name",
    "email": "/customer/email",
    "phone": "/customer/phone",
    "street": "/shipping_address/street",
    "city": "/shipping_address/city",
    "region": "/shipping_address/region",
    "postal_code": "/shipping_address/postal_code",
    "country": "/shipping_address/country",
}
"""Fields of the form of step 1 → where they stand in the body."""


@calls.post(
    "/orders",
    permission="orders.create",
    body=OrderIn,
    headers=(Header("Idempotency-Key", "The same key and body again give the same order.", 200),),
    returns={201: OrderDetailOut, 200: OrderDetailOut},
    problems=(409,),
)
def place_order(caller: Caller, body: OrderIn, idempotency_key: str | None) -> Reply:
    """Place an order. Step 1 is done with it; whether address and phone are right is asked in step 2."""
    services = caller.services
    form = _form(body)
    try:
        with services.engine.transaction() as session:
            document = body.model_dump(mode="json", exclude_none=True)
            number, is_new = place(session, caller.actor.name, idempotency_key, document, services.clock.now())
            if is_new:
                services.engine.start(
                    PROCESS, number, caller.actor, submit=form, variables={"intake": {"source": "api"}},
                    session=session,
                )  # fmt: skip
    except (InvalidForm, Problem) as error:
        raise bad_input(*(_in_body(one) for one in error.errors)) from None
    location = {"Location": f"/api/v1/orders/{number}"}
    return Reply(_detail(caller, number), 201 if is_new else 200, location)


def _form(body: OrderIn) -> dict[str, Any]:
    """The body as the flat form of step 1."""
    form = body.model_dump(mode="json", exclude_none=True)
    form = {**form.pop("customer"), **form.pop("shipping_address"), **form}
    # shops also send `DEU` or `Germany`; the form takes the code
    return {**form, "country": find_country(form["country"]) or form["country"]}


def _in_body(error: FieldError) -> FieldError:
    head, slash, rest = error.field.removeprefix("/").partition("/")
    return FieldError((_POINTERS.get(head) or (f"/{head}" if head else "")) + slash + rest, error.message)


@calls.get("/orders", permission="orders.read", query=OrderQuery, returns={200: OrderList})
def list_orders(caller: Caller, query: OrderQuery) -> OrderList:
    """List orders, newest first. `q` names an order (its number, an invoice, tracking, parcel or payment number, a
    reference) or a SKU, else it looks into numbers, customers' names, e-mail addresses, cities and references."""
    with caller.services.engine.reading() as session:
        try:
            rows = queries.order_rows(
                session, state=query.state, search=order_search.read(session, query.q), limit=query.size,
                cursor=query.cursor,
            )  # fmt: skip
        except ValueError:
            raise bad_cursor() from None
        incidents = queries.incidents(session, [row.number for row in rows.items if row.incidents])
    public_url = caller.services.ports.public_url
    items = [OrderOut(**order_body(row, incidents.get(row.number, ()), public_url)) for row in rows.items]
    return OrderList(items=items, next=rows.next)


@calls.get("/orders/<number>", permission="orders.read", returns={200: OrderDetailOut}, problems=(404,))
def get_order(caller: Caller, number: str) -> OrderDetailOut:
    """Look at one order: where it stands, what it waits for, what was invoiced, paid, packed and sent."""
    return _detail(caller, number)


def _detail(caller: Caller, number: str) -> OrderDetailOut:
    with caller.services.engine.reading() as session:
        detail = queries.order_detail(session, number)
        if detail is None:
            raise NotFound(f"There is no order {number}.")
    return OrderDetailOut(**detail_body(detail, caller.services.ports.public_url))


class HistoryQuery(Paging):
    """Which part of a history; all of it when no limit is given."""

    limit: int = Field(10_000, ge=1)


@calls.get(
    "/orders/<number>/history", permission="orders.read", query=HistoryQuery,
    returns={200: EventList}, problems=(404,),
)  # fmt: skip
def order_history(caller: Caller, number: str, query: HistoryQuery) -> EventList:
    """Follow an order: everything that happened, in order, chained by hash."""
    after = read_cursor(query.cursor, int)
    events = [event for event in caller.services.engine.history(number) if after is None or event.seq > int(after[0])]
    shown = events[: query.limit]
    more = cursor_of(shown[-1].seq) if len(events) > len(shown) else None
    return EventList(items=[EventOut(**event_body(event)) for event in shown], next=more)


@calls.get(
    "/orders/<number>/documents/<name>", permission="orders.read",
    returns={200: "application/octet-stream"}, problems=(404,),
)  # fmt: skip
def get_document(caller: Caller, number: str, name: str) -> Response:
    """Fetch a paper: invoice.pdf, packing-slip.pdf, label.pdf, label.zpl, evidence.pdf or evidence.json. Evidence of an
    order that is not archived yet is made now, as it stands so far."""
    if name not in DOCUMENTS:
        raise NotFound(f"There is no document {name}. There are {', '.join(DOCUMENTS)}.")
    with caller.services.engine.reading() as session:
        if queries.order_row(session, number) is None:
            raise NotFound(f"There is no order {number}.")
        document = queries.document(session, number, name)
    if name == "invoice.xml" and document is None:
        raise NotFound("Electronic invoices as XML are not made yet. Take invoice.pdf.")
    if document is None and name in ("evidence.pdf", "evidence.json"):
        data = caller.services.engine.look(number, lambda call: so_far(call, caller.services.ports, name))
        fresh = Response(data, content_type="application/pdf" if name.endswith("pdf") else "application/json")
        fresh.headers["Content-Disposition"] = f'attachment; filename="{number}-so-far-{name}"'
        fresh.headers["Cache-Control"] = "private, no-store"
        return fresh
    if document is None:
        raise NotFound(f"{number} has no {name} yet. It is made when the order gets that far.")
    try:
        data = caller.services.ports.files.get(document.sha256)
    except NotStored as error:
        raise ApiProblem("failed", str(error)) from None
    answer = Response(data, content_type=document.content_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{number}-{name}"'
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.set_etag(document.sha256)
    answer.make_conditional(request)
    return answer


class Cancel(Input):
    """Why an order is cancelled."""

    reason: str = Field(
        min_length=1, max_length=1000, pattern=r"\S", description="Shown in the history and told to the customer."
    )


@calls.post(
    "/orders/<number>/cancel", permission="orders.cancel", body=Cancel,
    returns={202: OrderDetailOut, 200: OrderDetailOut}, problems=(404, 409),
)  # fmt: skip
def cancel_order(caller: Caller, number: str, body: Cancel) -> Reply:
    """Cancel an order: stock, money and booking are undone, the customer is told. Again is 200 and changes nothing."""
    _, began = caller.services.engine.cancel(number, caller.actor, body.reason)
    return Reply(_detail(caller, number), 202 if began else 200)


class Note(Input):
    """What the next person should know of an order."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S")


@calls.post(
    "/orders/<number>/notes", permission="orders.note", body=Note, returns={201: OrderDetailOut}, problems=(404,),
)  # fmt: skip
def note_order(caller: Caller, number: str, body: Note) -> OrderDetailOut:
    """Write a note into the history of an order, also of one that has ended. The customer does not see it."""
    caller.services.engine.note(number, caller.actor, body.text)
    return _detail(caller, number)
