"""Step 15: what a courier reports about a shipment, and what people do when it does not arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.contract import Call, Choice, Fact, FieldError, FormContext, Problem, Refused, operation
from handlers.messages import queue_mail
from handlers.orders import load_order
from handlers.picklists import COURIERS
from handlers.shipping import current_shipment, ensure_picked_up, parse_time
from handlers.stock import hold, missing, take_back, wanted
from handlers.tables import Order, Shipment, TrackingReport

PROBLEMS = ("lost", "refused", "returned")
REPORT_WORDS = {
    "picked_up": "Picked up",
    "on_the_way": "On the way",
    "delayed": "Delayed",
    "out_for_delivery": "Out for delivery",
    "delivered": "Delivered",
    "lost": "Lost",
    "refused": "Refused by the recipient",
    "returned": "Returned to us",
}
_UNDER_WAY = {"status": "under_way"}


# --- reports ---------------------------------------------------------------------------------------------------------


@operation(
    "shipping.track", gives={"status": ("under_way", "delivered", "problem")}, refuses=(), reads=("booking", "pickup")
)
def track(call: Call, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keeps a courier's report and says where the shipment stands: `under_way`, `delivered` or `problem`.

    A report about another or an ended shipment, one that came before, and one that is older than what is known change
    nothing. A delay is mailed to the customer.
    """
    shipment = ensure_picked_up(call)
    if shipment is None or report.get("booking", shipment.reference) != shipment.reference:
        return _UNDER_WAY
    at = min(parse_time(report.get("at")) or call.now, call.now)
    row = TrackingReport(
        reference=shipment.reference,
        order_number=call.order,
        status=str(report.get("status", ""))[:20],
        place=str(report.get("place") or "")[:120],
        note=str(report.get("note") or "")[:300],
        at=at,
    )
    known = reports(call.session, shipment.reference)
    if any((old.status, old.at) == (row.status, row.at) for old in known):
        return _UNDER_WAY
    call.session.add(row)
    call.session.flush()
    # The pickup is our own note: an operator may have written it down later than it was.
    overtaken = any(old.at > at for old in known if old.status != "picked_up")
    if shipment.state != "picked_up" or overtaken:
        return _UNDER_WAY
    if row.status == "delivered":
        return {"status": "delivered"}
    if row.status in PROBLEMS:
        return {"status": "problem"}
    if row.status == "delayed":
        queue_mail(call, "delay", place=row.place, note=row.note)
    return _UNDER_WAY


def reports(session: Session, reference: str) -> list[TrackingReport]:
    """What is known of a shipment, oldest first."""
    query = select(TrackingReport).where(TrackingReport.reference == reference)
    return list(session.scalars(query.order_by(TrackingReport.at, TrackingReport.id)))


def report_facts(session: Session, shipment: Shipment | None) -> tuple[Fact, ...]:
    """What a person should see of a shipment above a form."""
    if shipment is None:
        return (Fact("Shipment", "none is booked"),)
    lines = [
        Fact(
            REPORT_WORDS.get(report.status, report.status),
            ", ".join(part for part in (f"{report.at:%Y-%m-%d %H:%M} UTC", report.place, report.note) if part),
        )
        for report in reports(session, shipment.reference)
    ]
    return (
        Fact("Courier", COURIERS.get(shipment.courier, shipment.courier)),
        Fact("Booking", shipment.reference),
        Fact("Tracking number", shipment.tracking_number),
        *lines,
    )


# --- exceptions ------------------------------------------------------------------------------------------------------


@operation(
    "shipping.resolve_exception", gives=("choice", "items", "reason", "booking"), reads=("booking",),
    takes=("choice", "items?", "reason?"),
)
def resolve_exception(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was decided about a shipment that did not arrive: `ship_again`, `refund`, `part` or `keep_tracking`.

    `ship_again` reserves the goods anew, else it is a Problem. It and `refund` give the shipment up; when it came back,
    its goods are counted in. `part` needs the items that the customer gets money back for.
    """
    order, shipment, choice = load_order(call.session, call.order), current_shipment(call), form["choice"]
    items = [dict(item) for item in form.get("items") or ()] if choice == "part" else []
    if choice == "part" and (problems := _part_problems(order, items)):
        raise Problem(*problems)
    if choice in ("ship_again", "refund"):
        _give_up(call, order, shipment)
    if choice == "ship_again":
        try:
            hold(call.session, order, order.stock_region, call.now)  # a Problem takes everything back
        except Refused as refusal:
            message = f"There is not enough stock to ship again: {refusal.message} Refund, or wait for stock."
            raise Problem(FieldError("/choice", message)) from refusal
    return {
        "choice": choice,
        "items": items,
        "reason": form.get("reason", ""),
        "booking": shipment.reference if shipment else None,
    }


def _give_up(call: Call, order: Order, shipment: Shipment | None) -> None:
    if shipment is None or shipment.state in ("given_up", "cancelled"):
        return
    known = reports(call.session, shipment.reference)
    if known and known[-1].status == "returned":
        take_back(call.session, call.order, wanted(order), call.now)
    shipment.state, shipment.ended_at = "given_up", call.now
    call.session.flush()


def _part_problems(order: Order, items: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    needs, names = wanted(order), {line.sku: line.name for line in order.lines}
    problems, seen = [], set()
    for place, item in enumerate(items):
        sku, quantity = item["sku"], item["quantity"]
        if sku not in needs or sku in seen:
            wrong = "stands here twice" if sku in seen else "is not part of this order"
            problems.append(FieldError(f"/items/{place}/sku", f"“{sku}” {wrong}."))
        elif not 1 <= quantity <= needs[sku]:
            message = f"The order has {needs[sku]:,} × {names[sku]}; give 1 to {needs[sku]:,}."
            problems.append(FieldError(f"/items/{place}/quantity", message))
        seen.add(sku)
    if not items:
        problems.append(FieldError("/items", "Say which products the customer gets money back for."))
    elif not problems and {item["sku"]: item["quantity"] for item in items} == needs:
        problems.append(FieldError("/items", "That is the whole order. Choose the refund of everything instead."))
    return problems


@operation("shipping.exception_form")
def exception_form(call: Call) -> FormContext:
    """What the courier reported, whether the goods are there once more, and the choice that helps the customer most."""
    order = load_order(call.session, call.order)
    shipment = current_shipment(call)
    short = missing(call.session, order, order.stock_region)
    choice = "refund" if short else "ship_again"
    example = {"choice": choice, "reason": "Agreed with the customer by phone."}
    return FormContext(
        data={"choice": choice},
        example=example,
        choices={"items.sku": tuple(Choice(line.sku, line.name) for line in order.lines)},
        facts=(
            *report_facts(call.session, shipment),
            *(Fact(line.name, f"{line.quantity:,} ordered") for line in order.lines),
            Fact("Stock to ship again", " ".join(short) or "all there"),
        ),
    )
