"""What people do about couriers: choosing one, confirming a pickup, recording proof, settling a booking that stands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from handlers.contract import Call, Fact, FieldError, FormContext, Problem, operation
from handlers.couriers.operations import destination_of, label_of, package_of
from handlers.couriers.port import Address, Package
from handlers.couriers.profiles import PROFILES, objection, quote
from handlers.money import format_money
from handlers.orders import load_order
from handlers.papers import kilograms, newest_parcels
from handlers.picklists import COURIERS, SHIPPING_METHODS, choices
from handlers.shipping import current_shipment, ensure_picked_up, parse_time, shipments
from handlers.tables import Shipment
from handlers.tracking import report_facts

_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d")

SETTLED = {"cancelled": "cancelled", "not_collected": "given_up", "comes_back": "given_up"}
"""What may be agreed about a booking that a courier would not call off, and the state of the shipment that follows."""


# --- choose ----------------------------------------------------------------------------------------------------------


@operation(
    "courier.choose", gives={"courier": COURIERS, "decided_by": ("person",)}, reads=("courier_choice",),
    takes=("courier",),
)
def choose(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """The courier that a person chose; a Problem for one whose profile says that it would not take the parcels.

    Whether it has a van, it says itself when it is booked.
    """
    if form["courier"] not in COURIERS:
        raise Problem(FieldError("/courier", f"There is no courier “{form['courier'][:60]}”. Choose one of the list."))
    destination, packages, method = _wanted(call)
    profile = PROFILES.get(form["courier"])
    if profile and (why := objection(profile, destination=destination, packages=packages, shipping_method=method)):
        raise Problem(FieldError("/courier", f"{why} Choose another courier."))
    return {"courier": form["courier"], "decided_by": "person"}


@operation("courier.choose_form")
def choose_form(call: Call) -> FormContext:
    """What each courier would ask, or why it would not come, worked out from its profile; the cheapest is proposed.

    Those that would not come are not offered. When nobody would, all are: the form needs a list, and `choose` says why.
    """
    destination, packages, method = _wanted(call)
    facts, amounts = [], {}
    for code, profile in PROFILES.items():
        rate = quote(profile, destination=destination, packages=packages, shipping_method=method)
        if rate is None:
            text = objection(profile, destination=destination, packages=packages, shipping_method=method) or ""
        else:
            amounts[code] = rate.amount
            days = "1 day" if rate.days == 1 else f"{rate.days} days"
            text = f"{format_money(rate.amount, rate.currency)}, {days} ({profile.kind})"
        facts.append(Fact(profile.label, text))
    tried = (call.variables.get("courier_choice") or {}).get("courier")
    able = sorted(amounts, key=lambda code: (code == tried, amounts[code]))
    best = able[0] if able else next(iter(PROFILES))
    offered = {code: label for code, label in COURIERS.items() if code in amounts or code not in PROFILES}
    return FormContext(
        data={"courier": best},
        example={"courier": best, "reason": "Cheapest courier that takes it."},
        choices={"courier": choices(offered or COURIERS)},
        facts=(
            *_what_failed(call),
            Fact("Shipping", SHIPPING_METHODS.get(method, method)),
            Fact("To", f"{destination.city}, {destination.country}"),
            *facts,
        ),
    )


def _wanted(call: Call) -> tuple[Address, list[Package], str]:
    """Where the order's newest parcels go, the parcels, and the shipping method that was promised."""
    order = load_order(call.session, call.order)
    packages = [package_of(parcel) for parcel in newest_parcels(call.session, call.order)]
    return destination_of(order), packages, order.shipping_method


def _what_failed(call: Call) -> tuple[Fact, ...]:
    """Why the last booking failed, if one did, and which booking still stands."""
    standing = [
        Fact("Not picked up", f"{label_of(s.courier)}, {s.reference}")
        for s in shipments(call.session, call.order, ("booked",))
    ]
    for event in reversed(call.history().get("events", ())):
        if event["kind"] == "refused":
            detail = json.loads(event["body"])["detail"]
            if detail.get("code") == "booking_failed":
                return (*standing, Fact("Not booked", detail.get("message", "")))
    return tuple(standing)


# --- step 13: pickup -------------------------------------------------------------------------------------------------


@operation(
    "courier.confirm_pickup", gives=("booking", "courier", "at", "driver", "confirmed_by"), reads=("booking",),
    takes=("courier", "collected_at?", "driver?"),
)
def confirm_pickup(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """The courier has the parcels: the shipment is on its way and its goods have left the stock."""
    shipment = current_shipment(call)
    if shipment is None:
        raise Problem(FieldError("/courier", "No courier is booked for this order."))
    problems = _courier_problems(shipment, form)
    at = _collected_at(call, form)
    if at is None:
        message = "Give day and time in UTC as 2026-11-23 14:30, or today's time as 14:30."
        problems.append(FieldError("/collected_at", message))
    elif at > call.now + timedelta(days=1):  # the day may have begun earlier where the warehouse stands
        problems.append(FieldError("/collected_at", "The pickup lies in the future. Confirm it when it has happened."))
    if problems:
        raise Problem(*problems)
    driver = str(form.get("driver") or "")
    note = "; ".join(part for part in (f"Driver: {driver}" if driver else "", str(form.get("note") or "")) if part)
    ensure_picked_up(call, at=at, note=note)
    picked_up_at = shipment.picked_up_at or call.now
    return {
        "booking": shipment.reference,
        "courier": shipment.courier,
        "at": picked_up_at.isoformat(),
        "driver": driver,
        "confirmed_by": call.actor,
    }


def _collected_at(call: Call, form: Mapping[str, Any]) -> datetime | None:
    """When the form says that the parcels left: a time of today, day and time, a day, RFC 3339; now when it is empty.

    None when it says something else. What has no zone is in UTC.
    """
    text = str(form.get("collected_at") or "").strip()
    if not text:
        return call.now
    if _TIME_OF_DAY.fullmatch(text):
        text = f"{call.now:%Y-%m-%d} {text:0>5}"
    return parse_time(text)


def _courier_problems(shipment: Shipment, form: Mapping[str, Any]) -> list[FieldError]:
    if form["courier"] == shipment.courier:
        return []
    booked, named = label_of(shipment.courier), label_of(form["courier"])
    return [FieldError("/courier", f"{booked} is booked ({shipment.reference}), not {named}. Hand nothing to another.")]


@operation("courier.pickup_form")
def pickup_form(call: Call) -> FormContext:
    """Who is booked and which parcels wait; the time now is filled in."""
    shipment = current_shipment(call)
    courier = shipment.courier if shipment else ""
    parcels = newest_parcels(call.session, call.order)
    collected_at = f"{call.now:%Y-%m-%d %H:%M}"
    return FormContext(
        data={"collected_at": collected_at, **({"courier": courier} if courier else {})},
        example={"courier": courier, "collected_at": collected_at, "driver": "A. Rahman", "note": ""},
        choices={"courier": choices(COURIERS)},
        facts=(
            *report_facts(call.session, shipment),
            *(Fact(f"Parcel {p.position}", f"{p.sscc}, {kilograms(p.weight_g)}") for p in parcels),
        ),
    )


# --- step 16: proof --------------------------------------------------------------------------------------------------


@operation(
    "courier.record_proof", gives=("status", "courier", "booking", "text"), reads=("booking",),
    takes=("answer", "courier", "received_by?", "delivered_on?"),
)
def record_proof(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the courier said when it was asked: who took the parcels and when, or that they were not delivered."""
    shipment = current_shipment(call)
    if shipment is None:
        raise Problem(FieldError("/courier", "No courier is booked for this order."))
    answer = form["answer"]
    problems = _courier_problems(shipment, form)
    if answer == "delivered":
        problems += _proof_problems(call, form)
    if problems:
        raise Problem(*problems)
    if answer == "delivered":
        note = f" {form['note'].strip()}" if form.get("note") else ""
        shipment.proof = (
            f"Received by {form['received_by'].strip()} on {form['delivered_on']}, "
            f"as {label_of(shipment.courier)} told {call.actor}.{note}"
        )
        call.session.flush()
    return {"status": answer, "courier": shipment.courier, "booking": shipment.reference, "text": shipment.proof or ""}


def _proof_problems(call: Call, form: Mapping[str, Any]) -> list[FieldError]:
    problems = []
    if not (form.get("received_by") or "").strip():
        problems.append(FieldError("/received_by", "Say who took the parcels."))
    try:
        delivered_on = date.fromisoformat(form.get("delivered_on") or "")
    except ValueError:
        return [*problems, FieldError("/delivered_on", "Say on which day they were delivered, as 2026-11-23.")]
    if delivered_on > (call.now + timedelta(days=1)).date():
        problems.append(FieldError("/delivered_on", "That day lies in the future."))
    return problems


@operation("courier.proof_form")
def proof_form(call: Call) -> FormContext:
    """Which courier to ask about which shipment, and what it has reported."""
    order, shipment = load_order(call.session, call.order), current_shipment(call)
    courier = shipment.courier if shipment else ""
    today = call.now.date().isoformat()
    return FormContext(
        data={"courier": courier} if courier else {},
        example={
            "courier": courier,
            "answer": "delivered",
            "received_by": order.customer_name[:80],
            "delivered_on": today,
            "note": "",
        },
        choices={"courier": choices(COURIERS)},
        facts=report_facts(call.session, shipment),
    )


# --- cancellation ----------------------------------------------------------------------------------------------------


@operation(
    "courier.record_cancellation", gives=("outcome", "bookings", "note"),
    takes=("outcome", "note?"),
)
def record_cancellation(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was agreed with a courier that would not call off. Every booking of the order is settled with it."""
    outcome = form["outcome"]
    if outcome not in SETTLED:
        raise Problem(FieldError("/outcome", f"Say what was agreed: {' or '.join(SETTLED)}."))
    references = []
    for shipment in shipments(call.session, call.order, ("booked",)):
        shipment.state, shipment.ended_at = SETTLED[outcome], call.now
        references.append(shipment.reference)
    call.session.flush()
    return {"outcome": outcome, "bookings": references, "note": form.get("note", "")}


@operation("courier.settle_form")
def settle_form(call: Call) -> FormContext:
    """Which bookings stand, and with whom."""
    standing = shipments(call.session, call.order, ("booked",))
    return FormContext(
        data={"outcome": "cancelled"},
        example={"outcome": "cancelled", "note": "The courier's office called the van back."},
        facts=tuple(fact for shipment in standing for fact in report_facts(call.session, shipment)),
    )
