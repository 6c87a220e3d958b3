"""Steps 3 to 5 and the undo path: checking, reserving, picking and releasing stock, and settling shortages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.contract import Call, Choice, Fact, FieldError, FormContext, Problem, Refused, WaybillError, operation
from handlers.orders import ORDER_VARIABLE, load_order, order_variable
from handlers.picklists import REGIONS
from handlers.stock import (
    StockLevel,
    hold,
    let_go,
    live_reservation,
    missing,
    put_on_shelf,
    reserve_again,
    ship,
    stock_levels,
    take_back,
    units,
    wanted,
)
from handlers.tables import Order, OrderLine, Reservation
from handlers.together import known_together, ordered_together, together_at_reservation, together_signed

__all__ = ["reserve_again", "ship", "stock_levels", "take_back"]


RESERVATION_VARIABLE = {
    "held": "boolean", "picked": "number", "reference": None, "ordered_together": "number", "together_with": None,
}
"""The keys of the variable `reservation`. `at_reservation`: what step 4 counted, where a later count differs."""


class NothingReserved(WaybillError):
    """Goods are to be picked of which none are reserved."""


# --- steps 3 and 4 ---------------------------------------------------------------------------------------------------


@operation("inventory.check", gives=("ok", "region", "lines"), refuses=("stock_short",))
def check(call: Call, region: str) -> Mapping[str, Any]:
    """Refuses with `stock_short` unless the region has everything the order wants. Reserves nothing."""
    order = load_order(call.session, call.order)
    if short := missing(call.session, order, region):
        raise Refused("stock_short", " ".join(short))
    return {"ok": True, "region": region, "lines": len(order.lines)}


@operation(
    "inventory.reserve", gives=RESERVATION_VARIABLE, refuses=("stock_short",),
)
def reserve(call: Call, region: str) -> Mapping[str, Any]:
    """Sets everything the order wants aside, all lines or none; else refuses with `stock_short`.

    Asked again it keeps what fits and replaces what does not.
    """
    order = load_order(call.session, call.order)
    return {**_variable(hold(call.session, order, region, call.now)), **ordered_together(call.session, order)}


@operation("inventory.release", gives=RESERVATION_VARIABLE, refuses=())
def release(call: Call) -> Mapping[str, Any]:
    """Gives what is still on the shelf back to everyone. `picked` counts the units that are off it.

    Those stay reserved until somebody has put them back.
    """
    reservation = live_reservation(call.session, call.order)
    if reservation is None:
        return {"held": False, "picked": 0, **known_together(call)}
    picked = units(reservation) if reservation.state == "picked" else 0
    if reservation.state != "picked":
        let_go(call.session, reservation, call.now)
    return {"held": False, "picked": picked, "reference": reservation.reference, **known_together(call)}


@operation("inventory.count_together", gives={**RESERVATION_VARIABLE, "at_reservation": None}, refuses=())
def count_together(call: Call) -> Mapping[str, Any]:
    """Counts again what the customer has ordered together: orders that were placed after step 4 count from now on.

    What step 4 counted, where that was something else, stands in `at_reservation`: the approval of the reservation was
    signed for that.
    """
    order = load_order(call.session, call.order)
    reservation = live_reservation(call.session, call.order)
    stock = _variable(reservation) if reservation else {"held": False, "picked": 0}
    then, now = together_at_reservation(call), ordered_together(call.session, order)
    return {**stock, **now, **({"at_reservation": then} if then != now else {})}


def _variable(reservation: Reservation) -> dict[str, Any]:
    picked = units(reservation) if reservation.state == "picked" else 0
    return {"held": True, "picked": picked, "reference": reservation.reference}


# --- shortage --------------------------------------------------------------------------------------------------------


@operation(
    "inventory.resolve_shortage", gives=ORDER_VARIABLE,
    takes=("choice", "stock_region?", "items?"),
)
def resolve_shortage(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was settled with the customer: `wait`, `other_region`, `fewer` or `cancel`.

    `other_region` sets the region that serves the order and is taken only if it has everything; `fewer` lists every
    product that is still wanted with its new quantity.
    """
    order = load_order(call.session, call.order)
    choice = form["choice"]
    if choice == "other_region":
        _serve_from(call, order, form.get("stock_region"))
    elif choice == "fewer":
        _order_fewer(order, form.get("items") or [])
    elif choice == "wait" and not missing(call.session, order, order.stock_region):
        region = REGIONS[order.stock_region]
        message = f"Everything is in {region} now. Choose the other region, and {region} there, to go on."
        raise Problem(FieldError("/choice", message))
    call.session.flush()
    return order_variable(order)


def _serve_from(call: Call, order: Order, region: str | None) -> None:
    if region not in REGIONS:
        raise Problem(FieldError("/stock_region", "Say which region is to serve the order."))
    if short := missing(call.session, order, region):
        raise Problem(FieldError("/stock_region", " ".join(short)))
    order.stock_region = region


def _order_fewer(order: Order, items: Sequence[Mapping[str, Any]]) -> None:
    lines = {line.sku: line for line in order.lines}
    problems = []
    kept: dict[str, int] = {}
    for position, item in enumerate(items):
        line, quantity = lines.get(item["sku"]), item["quantity"]
        if line is None or line.sku in kept:
            wrong = "is not part of this order" if line is None else "stands here twice"
            problems.append(FieldError(f"/items/{position}/sku", f"“{item['sku']}” {wrong}."))
            continue
        if not 0 <= quantity <= line.quantity:
            message = f"Give at most {line.quantity:,} units of {line.name}; more would be a new order."
            problems.append(FieldError(f"/items/{position}/quantity", message))
        kept[line.sku] = quantity
    if not problems and not any(kept.values()):
        problems.append(FieldError("/items", "Leave at least one product, or cancel the order."))
    if not problems and all(kept.get(sku) == line.quantity for sku, line in lines.items()):
        problems.append(FieldError("/items", "Lower the quantity of at least one product."))
    if problems:
        raise Problem(*problems)
    for sku, line in lines.items():
        if quantity := kept.get(sku, 0):
            line.quantity = quantity
        else:
            order.lines.remove(line)


@operation("inventory.shortage_form")
def shortage_form(call: Call) -> FormContext:
    """What every region has of the order's products, and the choice that gets furthest now, filled in."""
    order = load_order(call.session, call.order)
    levels = stock_levels(call.session, wanted(order))
    able = _able(order, levels)
    fewer = _what_is_there(order, levels)
    if able:
        example: dict[str, Any] = {"choice": "other_region", "stock_region": able[0]}
    elif fewer:
        example = {"choice": "fewer", "items": fewer}
    else:
        example = {"choice": "wait"}
    return FormContext(
        data={"stock_region": able[0] if able else order.stock_region, "items": fewer},
        example=example,
        choices={
            "items.sku": tuple(Choice(line.sku, line.name) for line in order.lines),
        },
        facts=tuple(_stock_fact(line, level) for line in order.lines for level in levels if level.sku == line.sku),
    )


def _able(order: Order, levels: Sequence[StockLevel]) -> list[str]:
    """The regions that have everything, the order's own first."""
    free = {(level.sku, level.region): level.available for level in levels}
    regions = sorted(REGIONS, key=lambda region: region != order.stock_region)
    return [region for region in regions if all(free.get((s, region), 0) >= q for s, q in wanted(order).items())]


def _what_is_there(order: Order, levels: Sequence[StockLevel]) -> list[dict[str, Any]]:
    free = {level.sku: level.available for level in levels if level.region == order.stock_region}
    there = {line.sku: min(line.quantity, free.get(line.sku, 0)) for line in order.lines}
    return [{"sku": sku, "quantity": quantity} for sku, quantity in there.items() if quantity]


def _stock_fact(line: OrderLine, level: StockLevel) -> Fact:
    region = REGIONS.get(level.region, level.region)
    value = f"{line.quantity:,} wanted, {level.available:,} available, {level.on_hand:,} on hand"
    return Fact(f"{line.name}, {region}", value)


# --- gate 5 ----------------------------------------------------------------------------------------------------------


@operation("inventory.submission", worth=("value", "value_together"))
def submission(call: Call) -> Mapping[str, Any]:
    """What the approver of the reservation signs: what was ordered and what is set aside for it, from where.

    No stock levels and no times, which would change by themselves and make every page stale.
    """
    order = load_order(call.session, call.order)
    reservation = live_reservation(call.session, call.order)
    held = {line.sku: line for line in reservation.lines} if reservation else {}
    return {
        "order": order.number,
        "customer": order.customer_name,
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "ordered": line.quantity,
                "reserved": held[line.sku].quantity if line.sku in held else 0,
                "region": held[line.sku].region if line.sku in held else order.stock_region,
            }
            for line in order.lines
        ],
        "value": {"amount": order_variable(order)["total"], "currency": order.currency},
        "reservation": reservation.reference if reservation else None,
        **together_signed(together_at_reservation(call), order),
    }


# --- off the shelf and back ------------------------------------------------------------------------------------------


@operation("inventory.pick", gives={"held": "boolean", "picked": "number", "reference": None}, refuses=())
def pick(call: Call) -> Mapping[str, Any]:
    """The goods are off the shelf: from now on somebody must put them back if the order is cancelled."""
    reservation = live_reservation(call.session, call.order)
    if reservation is None:
        raise NothingReserved(f"Nothing is reserved for {call.order}, so nothing can be picked.")
    reservation.state = "picked"
    call.session.flush()
    return _variable(reservation)


@operation(
    "inventory.put_back", gives={"held": "boolean", "picked": "number", "reference": None},
    takes=("lines",),
)
def put_back(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts picked goods in again: `lines` says how many came back of each product. The rest is written off."""
    reservation = live_reservation(call.session, call.order)
    if reservation is None or reservation.state != "picked":
        return {"held": False, "picked": 0}
    picked = {line.sku: line.quantity for line in reservation.lines}
    problems = []
    counted: Counter[str] = Counter()
    for position, line in enumerate(form["lines"]):
        sku, there = line["sku"], picked.get(line["sku"])
        if there is None:
            problems.append(FieldError(f"/lines/{position}/sku", f"“{sku}” was not picked for this order."))
            continue
        counted[sku] += line["quantity"]
        if line["quantity"] < 0 or counted[sku] > there:
            message = f"{there:,} were picked, so no more can come back."
            problems.append(FieldError(f"/lines/{position}/quantity", message))
    if problems:
        raise Problem(*problems)
    put_on_shelf(call.session, reservation, counted, call.now)
    return {"held": False, "picked": 0, "reference": reservation.reference}


@operation("inventory.put_back_form")
def put_back_form(call: Call) -> FormContext:
    """What was picked, and where it belongs."""
    reservation = live_reservation(call.session, call.order)
    picked = reservation.lines if reservation else []
    everywhere = stock_levels(call.session, [line.sku for line in picked])
    shelves = {(level.sku, level.region): level for level in everywhere}
    lines: list[dict[str, Any]] = [{"sku": line.sku, "quantity": line.quantity} for line in picked]
    for line, filled in zip(picked, lines, strict=True):
        if location := shelves[line.sku, line.region].location:
            filled["location"] = location
    names = {line.sku: shelves[line.sku, line.region].name for line in picked}
    return FormContext(
        data={"lines": lines},
        example={"lines": lines},
        choices={"lines.sku": tuple(Choice(sku, name) for sku, name in names.items())} if names else {},
        facts=tuple(
            Fact(names[line.sku], f"{line.quantity:,} to {_where(shelves[line.sku, line.region])}") for line in picked
        ),
    )


def _where(level: StockLevel) -> str:
    region = REGIONS.get(level.region, level.region)
    return f"{region}, {level.location}" if level.location else region
