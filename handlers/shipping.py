"""Steps 9 and 10, and what every step after them asks: which parcels an order has and which shipment carries them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers import inventory, papers
from handlers.contract import Call, Choice, Fact, FieldError, FormContext, Problem, operation
from handlers.countries import country_name, find_country
from handlers.customers import address_doubts
from handlers.messages import queue_mail
from handlers.orders import ORDER_VARIABLE, load_order, order_variable
from handlers.picklists import REGIONS, SHIPPING_METHODS, countries
from handlers.stock import live_reservation, ship, stock_levels, wanted
from handlers.tables import Invoice, Order, Parcel, ParcelLine, Product, Shipment, TrackingReport

MAX_PARCEL_G = 30_000
"""What one person may lift and every courier takes."""
PACKAGING_G = 250
"""Box and filling of a proposed parcel."""
PROPOSED_BOX_CM = {"length_cm": 40, "width_cm": 30, "height_cm": 20}
SHORT = (
    "If the pieces are not there, release the task and ask Sales on the order's page: the task waits for the pieces, "
    "or Sales cancel the order."
)
"""What to do at steps 9 and 10, from which the diagram leads to no fewer goods: they are signed and paid for."""
ADDRESS_FIELDS = ("street", "city", "region", "postal_code", "country")


# --- step 9: prepare -------------------------------------------------------------------------------------------------


@operation(
    "shipping.prepare", gives=ORDER_VARIABLE,
    takes=("lines", "street?", "city?", "region?", "postal_code?", "country?"),
)
def prepare(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """The goods are off the shelf and match the order; the address may be corrected, which the history and the customer
    are told. Queues the packing slip.

    Problem with the lines that do not match, with an address that no label can carry, and with one that is doubtful.
    """
    order = load_order(call.session, call.order)
    was = ", ".join(papers.address(order))
    problems = _line_problems(order, form["lines"], "lines") + _correct_address(call.session, order, form)
    if problems:
        raise Problem(*problems)
    if (now := ", ".join(papers.address(order))) != was:
        _tell_of_address(call, was, now)
    inventory.pick(call)
    call.later("document.render", name="packing-slip", number=order.number)
    return order_variable(order)


def _line_problems(order: Order, rows: Sequence[Mapping[str, Any]], name: str) -> list[FieldError]:
    """How these rows differ from what the order wants. A product may stand in several rows."""
    needs, names = wanted(order), {line.sku: line.name for line in order.lines}
    problems = []
    found: Counter[str] = Counter()
    last: dict[str, int] = {}
    for place, row in enumerate(rows):
        sku = row["sku"]
        if sku not in needs:
            problems.append(FieldError(f"/{name}/{place}/sku", f"“{sku}” is not part of this order. Leave it out."))
            continue
        if row["quantity"] < 1:
            problems.append(FieldError(f"/{name}/{place}/quantity", "Give at least 1, or take the line out."))
        found[sku] += row["quantity"]
        last[sku] = place
    for sku, quantity in needs.items():
        if sku not in last:
            message = f"{quantity:,} × {names[sku]} are missing. Add a line for them. {SHORT}"
            problems.append(FieldError(f"/{name}", message))
        elif found[sku] != quantity:
            message = f"The order has {quantity:,} × {names[sku]}, not {found[sku]:,}."
            if found[sku] < quantity:
                message = f"{message} {SHORT}"
            problems.append(FieldError(f"/{name}/{last[sku]}/quantity", message))
    return problems


def _correct_address(session: Session, order: Order, form: Mapping[str, Any]) -> list[FieldError]:
    """Takes the corrected parts of the address over. What is wrong with it now, by field."""
    new = {field: " ".join(str(form[field]).split()) for field in ADDRESS_FIELDS if form.get(field)}
    if "country" in new:
        country = find_country(new["country"])
        if country is None:
            return [FieldError("/country", f"There is no country “{new['country'][:60]}”. Give its ISO code, e.g. DE.")]
        if country != order.country and _is_invoiced(session, order):
            message = (
                f"The invoice carries the tax of {country_name(order.country)}, so the country cannot change any more. "
                "Cancel the order and take it again for the other country."
            )
            return [FieldError("/country", message)]
        new["country"] = country
    address = {field: new.get(field, getattr(order, field)) for field in ADDRESS_FIELDS}
    problems = [FieldError(f"/{field}", message) for field, message in address_faults(address).items()]
    if not problems and any(getattr(order, field) != value for field, value in new.items()):
        if problems := _new_doubts(order, address):
            return problems
        for field, value in new.items():
            setattr(order, field, value)
        # A person once vouched for the address as it was then.
        order.details_confirmed = None
    return problems


def _new_doubts(order: Order, address: Mapping[str, str]) -> list[FieldError]:
    """What step 2 would doubt about a corrected address. Somebody may have vouched for what was doubtful before."""
    known = {doubt.field for doubt in address_doubts({field: getattr(order, field) for field in ADDRESS_FIELDS})}
    return [FieldError(f"/{doubt.field}", doubt.message) for doubt in address_doubts(address)
            if doubt.field not in known]


def _tell_of_address(call: Call, was: str, now: str) -> None:
    """No signature covers the address, so the history says what it was, and the customer is asked to look at it."""
    call.note(f"The goods go to {now}; before it was {was}.")
    queue_mail(call, "address_changed", was=was)


def _is_invoiced(session: Session, order: Order) -> bool:
    return bool(session.scalar(select(func.count()).where(Invoice.order_number == order.number)))


def address_faults(address: Mapping[str, str]) -> dict[str, str]:
    """Why a label cannot carry this address, by field: a part is missing, or has signs that no label font has."""
    faults = {
        field: "A label needs it. Fill it in." for field in ("street", "city", "country") if not address[field].strip()
    }
    for field, value in address.items():
        if signs := sorted({sign for sign in value if _has_no_glyph(sign)}):
            faults[field] = f"A label cannot carry {' '.join(signs)}. Write it in letters."
    return faults


def _has_no_glyph(sign: str) -> bool:
    """Control signs are printed as blanks; pictures and rare scripts beyond the basic plane are not printed at all."""
    return ord(sign) > 0xFFFF or sign == "\N{REPLACEMENT CHARACTER}" or "\ue000" <= sign <= "\uf8ff"


@operation("shipping.prepare_form")
def prepare_form(call: Call) -> FormContext:
    """The pick list: how many of which product from which place, and the address as it stands."""
    order = load_order(call.session, call.order)
    picks = _picks(call.session, order)
    names = {line.sku: line.name for line in order.lines}
    data = {
        "lines": [{"sku": sku, "location": where, "quantity": quantity} for sku, where, quantity in picks],
        **{field: getattr(order, field) for field in ADDRESS_FIELDS if getattr(order, field)},
        "packing_slip_enclosed": True,
    }
    return FormContext(
        data=data,
        example=data,
        choices={
            "lines.sku": tuple(Choice(sku, name) for sku, name in names.items()),
            "country": countries(),
        },
        facts=(
            *(Fact(names[sku], f"{quantity:,} from {where}") for sku, where, quantity in picks),
            Fact("Ship to", ", ".join([order.customer_name, *papers.address(order)])),
            Fact("Shipping", SHIPPING_METHODS.get(order.shipping_method, order.shipping_method)),
        ),
    )


def _picks(session: Session, order: Order) -> list[tuple[str, str, int]]:
    """SKU, place and quantity, from the shelves on which the goods are reserved, in walking order."""
    reservation = live_reservation(session, order.number)
    if reservation is None:
        return [(sku, REGIONS.get(order.stock_region, "warehouse"), n) for sku, n in wanted(order).items()]
    shelves = {(s.sku, s.region): s.location for s in stock_levels(session, [line.sku for line in reservation.lines])}
    picks = [
        (line.sku, shelves.get((line.sku, line.region)) or REGIONS.get(line.region, line.region), line.quantity)
        for line in reservation.lines
    ]
    return sorted(picks, key=lambda pick: (pick[1], pick[0]))


# --- step 10: pack ---------------------------------------------------------------------------------------------------


@operation(
    "shipping.pack", gives=ORDER_VARIABLE,
    takes=("parcels", "contents"),
)
def pack(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keeps the parcels with what lies in each, as a new round. `weight_g` is what the packed parcels weigh.

    Problem when the contents are not exactly the order's, a parcel is empty, too heavy, or lighter than its goods.
    """
    order = load_order(call.session, call.order)
    parcels, contents = form["parcels"], form["contents"]
    problems = _parcel_problems(parcels, contents) + _line_problems(order, contents, "contents")
    if not problems:
        problems = _too_light(parcels, contents, {line.sku: line.product.weight_g for line in order.lines})
    if problems:
        raise Problem(*problems)
    this_round = 1 + (
        call.session.scalar(select(func.max(Parcel.round)).where(Parcel.order_number == order.number)) or 0
    )
    inside = [Counter[str]() for _ in parcels]
    for row in contents:
        inside[row["parcel"] - 1][row["sku"]] += row["quantity"]
    for position, (parcel, goods) in enumerate(zip(parcels, inside, strict=True), start=1):
        measures = {name: parcel[name] for name in ("weight_g", "length_cm", "width_cm", "height_cm")}
        call.session.add(
            Parcel(
                order_number=order.number,
                round=this_round,
                position=position,
                fragile=bool(parcel.get("fragile")),
                lines=[ParcelLine(sku=sku, quantity=quantity) for sku, quantity in sorted(goods.items())],
                **measures,
            )
        )
    call.session.flush()
    return {**order_variable(order), "weight_g": sum(parcel["weight_g"] for parcel in parcels)}


def _parcel_problems(parcels: Sequence[Mapping[str, Any]], contents: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    problems = []
    if not parcels:
        problems.append(FieldError("/parcels", "Pack at least one parcel."))
    for place, parcel in enumerate(parcels):
        if not 0 < parcel["weight_g"] <= MAX_PARCEL_G:
            message = f"A parcel weighs 1 to {MAX_PARCEL_G:,} g. Spread the goods over more parcels."
            problems.append(FieldError(f"/parcels/{place}/weight_g", message))
        for side in ("length_cm", "width_cm", "height_cm"):
            if parcel[side] < 1:
                problems.append(FieldError(f"/parcels/{place}/{side}", "Give whole centimetres, at least 1."))
        if not any(row["parcel"] == place + 1 for row in contents):
            message = f"Parcel {place + 1} is empty. Say what lies in it, or take it out."
            problems.append(FieldError(f"/parcels/{place}", message))
    for place, row in enumerate(contents):
        if not 1 <= row["parcel"] <= len(parcels):
            message = f"There is no parcel {row['parcel']}; there are {len(parcels)}."
            problems.append(FieldError(f"/contents/{place}/parcel", message))
    return problems


def _too_light(
    parcels: Sequence[Mapping[str, Any]], contents: Sequence[Mapping[str, Any]], weights: Mapping[str, int]
) -> list[FieldError]:
    """Parcels that weigh less than their goods by the catalogue, to the gram; the box adds to it.

    A single piece above the greatest weight is a person's to decide about (see `propose_parcels`), so it passes.
    """
    problems = []
    for place, parcel in enumerate(parcels):
        rows = [row for row in contents if row["parcel"] == place + 1]
        goods = sum(row["quantity"] * weights[row["sku"]] for row in rows)
        if goods <= parcel["weight_g"] or (goods > MAX_PARCEL_G == parcel["weight_g"] and _is_one_piece(rows)):
            continue
        says = f"The goods in parcel {place + 1} alone weigh {goods:,} g. "
        says += (f"Weigh it again: give at least {goods:,} g." if goods <= MAX_PARCEL_G
                 else "Spread them over more parcels.")
        problems.append(FieldError(f"/parcels/{place}/weight_g", says))
    return problems


def _is_one_piece(rows: Sequence[Mapping[str, Any]]) -> bool:
    return [row["quantity"] for row in rows] == [1]


@operation("shipping.pack_form")
def pack_form(call: Call) -> FormContext:
    """What is to be packed, with a proposal that fits: one parcel, or as many as its weight needs."""
    order = load_order(call.session, call.order)
    products = {p.sku: p for p in call.session.scalars(select(Product).where(Product.sku.in_(wanted(order))))}
    parcels, contents = propose_parcels(wanted(order), {sku: p.weight_g for sku, p in products.items()})
    for position, parcel in enumerate(parcels, start=1):
        parcel["fragile"] = any(products[row["sku"]].fragile for row in contents if row["parcel"] == position)
    data = {"parcels": parcels, "contents": contents, "note": ""}
    goods_g = sum(products[sku].weight_g * quantity for sku, quantity in wanted(order).items())
    return FormContext(
        data=data,
        example=data,
        choices={"contents.sku": tuple(Choice(line.sku, line.name) for line in order.lines)},
        facts=(
            *(
                Fact(line.name, f"{line.quantity:,}{' (fragile)' if products[line.sku].fragile else ''}")
                for line in order.lines
            ),
            Fact("Weight of the goods", f"{goods_g / 1000:g} kg"),
            Fact("Heaviest parcel", f"{MAX_PARCEL_G / 1000:g} kg"),
        ),
    )


def propose_parcels(
    needs: Mapping[str, int], weights: Mapping[str, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Parcels and contents as the form has them: filled up one after the other to the greatest weight.

    A single piece that is heavier than that gets a parcel of its own, with the greatest weight written on it: a person
    has to decide about it.
    """
    parcels: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []

    def open_parcel() -> dict[str, Any]:
        parcels.append({"weight_g": PACKAGING_G, **PROPOSED_BOX_CM, "fragile": False})
        return parcels[-1]

    for sku, quantity in needs.items():
        rest = quantity
        while rest:
            parcel = parcels[-1] if parcels else open_parcel()
            fits = (MAX_PARCEL_G - parcel["weight_g"]) // weights[sku]
            if fits < 1 and parcel["weight_g"] > PACKAGING_G:
                parcel = open_parcel()
                fits = (MAX_PARCEL_G - parcel["weight_g"]) // weights[sku]
            some = min(rest, max(fits, 1))
            parcel["weight_g"] = min(parcel["weight_g"] + some * weights[sku], MAX_PARCEL_G)
            contents.append({"sku": sku, "parcel": len(parcels), "quantity": some})
            rest -= some
    return parcels, contents


# --- shipments -------------------------------------------------------------------------------------------------------


def shipments(session: Session, order_number: str, states: Iterable[str] | None = None) -> list[Shipment]:
    """The order's shipments in these states (None: all), oldest first."""
    query = select(Shipment).where(Shipment.order_number == order_number)
    if states is not None:
        query = query.where(Shipment.state.in_(tuple(states)))
    return list(session.scalars(query.order_by(Shipment.booked_at, Shipment.reference)))


def current_shipment(call: Call) -> Shipment | None:
    """The shipment that the order is about now: the one of the variable `booking`, else the newest not called off."""
    reference = (call.variables.get("booking") or {}).get("reference")
    booked = call.session.get(Shipment, reference) if reference else None
    if booked is not None and booked.order_number == call.order:
        return booked
    all_ = shipments(call.session, call.order)
    return next((shipment for shipment in reversed(all_) if shipment.state != "cancelled"), None)


def ensure_picked_up(call: Call, *, at: datetime | None = None, note: str = "") -> Shipment | None:
    """The booked shipment is on its way and its goods have left the stock. Done once, however often it is called.

    A pickup is confirmed by the operator's form or by the courier's message, and after the message no operation of its
    own runs. So whatever comes next calls this first: `message.shipped` (step 14) and `shipping.track` (step 15).
    `at` is when it happened; without it what the message says, else now.
    """
    shipment = current_shipment(call)
    if shipment is None or shipment.state != "booked":
        return shipment
    message = call.variables.get("pickup") or {}
    if at is None and message.get("booking") == shipment.reference:
        at = parse_time(message.get("at"))
    ship(call.session, call.order, call.now)
    shipment.state = "picked_up"
    shipment.picked_up_at = min(at or call.now, call.now)
    call.session.add(
        TrackingReport(
            reference=shipment.reference,
            order_number=call.order,
            status="picked_up",
            note=note[:300],
            at=shipment.picked_up_at,
        )
    )
    call.session.flush()
    return shipment


def parse_time(text: Any) -> datetime | None:
    """An RFC 3339 time or an ISO date as an aware time in UTC (a date at noon); None when it is neither."""
    if not isinstance(text, str):
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(12), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
