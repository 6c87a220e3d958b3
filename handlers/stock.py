"""The stock ledger: the only place that changes what is on hand and what is reserved.

Every change is a single conditional UPDATE, so that two orders never get the same piece in either database. Rows are
always taken in the order of SKU and region, and last, after everything else that is written for the same change;
whoever needs stock rows and something busier asks for the stock first.
Every change of `on_hand` writes a movement: per SKU and region the movements add up to what is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, bindparam, func, insert, select, text, update
from sqlalchemy.orm import Session, joinedload

from handlers.contract import Refused, WaybillError
from handlers.picklists import REGIONS
from handlers.tables import Order, Product, Reservation, ReservationLine, Stock, StockMovement

LIVE = ("held", "picked")
"""States of a reservation that still binds stock."""

Place = tuple[str, str]
"""A stock row: SKU and region."""


class StockBroken(WaybillError):
    """Stock and reservations contradict each other; nothing was changed. This is a fault, not a shortage."""


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What one region has of one product, in units."""

    sku: str
    name: str
    region: str
    on_hand: int
    reserved: int
    available: int
    location: str


# --- reading ---------------------------------------------------------------------------------------------------------


def stock_levels(session: Session, skus: Iterable[str] | None = None) -> list[StockLevel]:
    """Every stock row, or those of some products, by SKU and region."""
    query = (
        select(Stock.sku, Product.name, Stock.region, Stock.on_hand, Stock.reserved, Stock.location)
        .join(Product, Product.sku == Stock.sku)
        .order_by(Stock.sku, Stock.region)
    )
    if skus is not None:
        query = query.where(Stock.sku.in_(set(skus)))
    return [
        StockLevel(row.sku, row.name, row.region, row.on_hand, row.reserved, row.on_hand - row.reserved, row.location)
        for row in session.execute(query)
    ]


def wanted(order: Order) -> dict[str, int]:
    """Units per SKU that the order wants, by SKU."""
    total: Counter[str] = Counter()
    for line in order.lines:
        total[line.sku] += line.quantity
    return dict(sorted(total.items()))


def live_reservation(session: Session, order_number: str) -> Reservation | None:
    """The reservation of the order that still binds stock, held or picked."""
    query = select(Reservation).where(Reservation.order_number == order_number, Reservation.state.in_(LIVE))
    return session.scalars(query.options(joinedload(Reservation.lines))).unique().one_or_none()


def missing(session: Session, order: Order, region: str) -> list[str]:
    """A sentence for each product of which the region has too few for this order; what it holds itself counts."""
    held = live_reservation(session, order.number)
    return _short(session, order, region, _places(held) if held else {})


def _short(session: Session, order: Order, region: str, own: Mapping[Place, int]) -> list[str]:
    """What `missing` says, when the order holds `own` units per place."""
    needs = wanted(order)
    rows = session.execute(
        select(Stock.sku, (Stock.on_hand - Stock.reserved).label("free")).where(
            Stock.region == region, Stock.sku.in_(needs)
        )
    )
    free = Counter({row.sku: row.free for row in rows})
    for (sku, where), units in own.items():
        if where == region:
            free[sku] += units
    names = {line.sku: line.name for line in order.lines}
    return [
        f"{names[sku]}: {quantity:,} wanted, {free[sku]:,} available in {REGIONS.get(region, region)}."
        for sku, quantity in needs.items()
        if free[sku] < quantity
    ]


def _places(reservation: Reservation) -> dict[Place, int]:
    """Units per place that a reservation holds."""
    return {(line.sku, line.region): line.quantity for line in reservation.lines}


# --- reserving -------------------------------------------------------------------------------------------------------


def hold(session: Session, order: Order, region: str, now: datetime) -> Reservation:
    """Sets aside everything the order wants, all or nothing, and returns what is now held.

    What the order holds already is kept if it fits, else replaced. Raises `Refused("stock_short")`; the caller's
    savepoint undoes what was written until then.
    """
    needs = {(sku, region): quantity for sku, quantity in wanted(order).items()}
    held = live_reservation(session, order.number)
    before = _places(held) if held else {}
    if held and before == needs:
        return held
    if held and held.state == "picked":
        raise StockBroken(
            f"The goods of {held.reference} are off the shelf already. Put them back before reserving others."
        )
    if held:
        _end(session, held, "released", now)
    earlier = session.scalar(select(func.count()).where(Reservation.order_number == order.number)) or 0
    reservation = Reservation(
        reference=f"R-{order.number}-{earlier + 1}",
        order_number=order.number,
        state="held",
        made_at=now,
        lines=[ReservationLine(sku=sku, region=where, quantity=n) for (sku, where), n in needs.items()],
    )
    session.add(reservation)
    session.flush()
    change = Counter(needs)
    change.subtract(before)
    # last: everybody wants these rows, and whoever has changed one keeps it until the command is committed
    if not _change_reserved(session, change):
        names = ", ".join(sku for sku, _ in needs)
        raise Refused("stock_short", " ".join(_short(session, order, region, before)) or f"Taken meanwhile: {names}.")
    return reservation


def let_go(session: Session, reservation: Reservation, now: datetime) -> None:
    """Gives what is held, and still on the shelf, back to everyone."""
    _end(session, reservation, "released", now)
    _change_reserved(session, {(line.sku, line.region): -line.quantity for line in reservation.lines})


def ship(session: Session, order_number: str, now: datetime) -> int:
    """The order's goods left the building: off the books. Returns the units; 0 when nothing is reserved any more."""
    reservation = live_reservation(session, order_number)
    if reservation is None:
        return 0
    lines = _sorted(reservation)
    left = {(line.sku, line.region): -line.quantity for line in lines}
    _note(session, left, "shipped", now=now, order_number=order_number)
    _end(session, reservation, "shipped", now)
    _take_off(session, [(line, line.quantity) for line in lines])
    return units(reservation)


def put_on_shelf(session: Session, reservation: Reservation, counted: Mapping[str, int], now: datetime) -> None:
    """Picked goods came back to their place: `counted` units per SKU, the rest of what was picked is written off."""
    lost = [(line, line.quantity - counted.get(line.sku, 0)) for line in _sorted(reservation)]
    written_off = {(line.sku, line.region): -quantity for line, quantity in lost if quantity}
    _note(session, written_off, "count", now=now, order_number=reservation.order_number)
    _end(session, reservation, "released", now)
    _take_off(session, lost)


def reserve_again(session: Session, order: Order, now: datetime) -> Reservation:
    """Sets the whole order aside once more after its first parcels left, so that it can be shipped again.

    Raises `Refused("stock_short")` and leaves the stock as it was.
    """
    with session.begin_nested():
        return hold(session, order, order.stock_region, now)


def units(reservation: Reservation) -> int:
    """All units of a reservation."""
    return sum(line.quantity for line in reservation.lines)


# --- coming in -------------------------------------------------------------------------------------------------------

_TAKE_IN = text(
    "INSERT INTO stock (sku, region, on_hand, reserved, location) VALUES (:sku, :region, :quantity, 0, '') "
    "ON CONFLICT (sku, region) DO UPDATE SET on_hand = stock.on_hand + :quantity"
)


def take_in(session: Session, place: Place, quantity: int, now: datetime, order_number: str | None = None) -> None:
    """Goods came in: a delivery, or with an order number goods that came back from it. `quantity` is above 0.

    Orders that wait for stock are told by the message `stock.arrived`, which is the caller's to deliver.
    """
    if quantity <= 0:
        raise ValueError(f"{quantity} units cannot come in")
    _note(session, {place: quantity}, "returned" if order_number else "delivery", now=now, order_number=order_number)
    session.execute(_TAKE_IN, {"sku": place[0], "region": place[1], "quantity": quantity})


def take_back(session: Session, order_number: str, quantities: Mapping[str, int], now: datetime) -> None:
    """Shipped goods came back whole, units per SKU: into the region they left from. At most what is out comes back."""
    out = taken(session, order_number)
    for sku, quantity in sorted(quantities.items()):
        rest = quantity
        for place, still_out in out.items():
            back = min(rest, still_out) if place[0] == sku else 0
            if back:
                take_in(session, place, back, now, order_number)
                rest -= back


def taken(session: Session, order_number: str) -> dict[Place, int]:
    """Units per SKU and region that left for this order and did not come back."""
    rows = session.execute(
        select(StockMovement.sku, StockMovement.region, func.sum(-StockMovement.quantity).label("units"))
        .where(StockMovement.order_number == order_number, StockMovement.reason.in_(("shipped", "returned")))
        .group_by(StockMovement.sku, StockMovement.region)
        .order_by(StockMovement.sku, StockMovement.region)
    )
    return {(row.sku, row.region): int(row.units) for row in rows if row.units > 0}


def count(session: Session, place: Place, on_hand: int, now: datetime) -> int:
    """Sets what is there to what was counted, and returns the difference in units.

    Raises `Refused("stock_short")` when more than that is reserved.
    """
    row = session.execute(
        select(Stock.on_hand, Stock.reserved)
        .where(Stock.sku == place[0], Stock.region == place[1])
        .with_for_update()  # SQLite: the whole database is ours already
    ).one_or_none()
    if row is not None and on_hand < row.reserved:
        raise Refused("stock_short", f"{on_hand:,} is less than the {row.reserved:,} that are reserved for orders.")
    difference = on_hand - (row.on_hand if row else 0)
    if row is None:
        session.execute(_TAKE_IN, {"sku": place[0], "region": place[1], "quantity": difference})
    elif difference:
        here = update(Stock).where(Stock.sku == place[0], Stock.region == place[1])
        _run(session, here.values(on_hand=on_hand))
    if difference:
        _note(session, {place: difference}, "count", now=now, order_number=None)
    return difference


# --- inside ----------------------------------------------------------------------------------------------------------


_STOCK = cast("Table", Stock.__table__)
_HERE = (_STOCK.c.sku == bindparam("at_sku"), _STOCK.c.region == bindparam("at_region"))
_RESERVE = (
    update(_STOCK)
    .where(*_HERE, (_STOCK.c.reserved + bindparam("units")).between(0, _STOCK.c.on_hand))
    .values(reserved=_STOCK.c.reserved + bindparam("units"))
)
_TAKE_OFF = (
    update(_STOCK)
    .where(*_HERE, _STOCK.c.reserved >= bindparam("units"))
    .values(on_hand=_STOCK.c.on_hand - bindparam("gone"), reserved=_STOCK.c.reserved - bindparam("units"))
)


def _change_reserved(session: Session, change: Mapping[Place, int]) -> bool:
    """Reserves (above 0) or frees (below 0) units per place. False when there are too few of something."""
    changes = [(place, units) for place, units in sorted(change.items()) if units]
    rows = [{"at_sku": sku, "at_region": region, "units": units} for (sku, region), units in changes]
    if not rows or _run(session, _RESERVE, rows) == len(rows):
        return True
    if all(units < 0 for _, units in changes):
        raise StockBroken(f"Fewer than this order has reserved are reserved of {_skus(rows)}, so they cannot be freed.")
    return False


def _take_off(session: Session, lines: Iterable[tuple[ReservationLine, int]]) -> None:
    """Ends the reservation of lines, each with the units of it that are not there any more."""
    rows = [
        {"at_sku": line.sku, "at_region": line.region, "units": line.quantity, "gone": gone} for line, gone in lines
    ]
    if rows and _run(session, _TAKE_OFF, rows) != len(rows):
        raise StockBroken(f"Less is reserved than this order has reserved of {_skus(rows)}.")


def _skus(rows: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(str(row["at_sku"]) for row in rows)


def _run(session: Session, statement: Any, rows: Sequence[Mapping[str, Any]] | None = None) -> int:
    """Rows that an UPDATE changed, once for each of `rows`, one after the other.

    Nobody keeps stock rows as objects, so none have to be brought up to date.
    """
    result = session.execute(statement, rows, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def _end(session: Session, reservation: Reservation, state: str, now: datetime) -> None:
    reservation.state, reservation.ended_at = state, now
    session.flush()


def _note(
    session: Session, moved: Mapping[Place, int], reason: str, *, now: datetime, order_number: str | None
) -> None:
    """Writes movements down: units per place, above 0 what came in."""
    about = {"reason": reason, "order_number": order_number, "at": now}
    rows = [{"sku": sku, "region": region, "quantity": units, **about} for (sku, region), units in moved.items()]
    if rows:
        session.execute(insert(cast("Table", StockMovement.__table__)), rows)


def _sorted(reservation: Reservation) -> list[ReservationLine]:
    return sorted(reservation.lines, key=lambda line: (line.sku, line.region))
