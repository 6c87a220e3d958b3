"""Steps 12, 13 and 16, and calling a courier off: the `courier.*` operations that ask a courier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from handlers.contract import Call, Clock, External, FieldError, Problem, Refused, RetryPolicy, operation
from handlers.couriers.port import Address, Booking, Courier, Package
from handlers.keys import once
from handlers.orders import load_order, next_number
from handlers.papers import newest_parcels, one_line
from handlers.picklists import COURIERS
from handlers.shipping import current_shipment, shipments
from handlers.tables import Order, Parcel, Shipment

if TYPE_CHECKING:
    from handlers.ports import Ports

RETRY = RetryPolicy(attempts=12, first=timedelta(seconds=2), longest=timedelta(minutes=15))
"""An hour: vans are planned during the day, and somebody can still telephone."""
_LONGEST_REFERENCE = 60


def label_of(courier: str) -> str:
    """What people call a courier."""
    return COURIERS.get(courier, courier or "no courier")


def destination_of(order: Order) -> Address:
    """Where the parcels go, as couriers are told."""
    return Address(
        name=one_line(order.customer_name),
        street=one_line(order.street),
        city=one_line(order.city),
        region=one_line(order.region),
        postal_code=one_line(order.postal_code),
        country=order.country,
    )


def package_of(parcel: Parcel) -> Package:
    """A parcel as couriers are told."""
    return Package(parcel.sscc or "", parcel.weight_g, parcel.length_cm, parcel.width_cm, parcel.height_cm)


# --- step 12: book ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earlier:
    """A booking of the same order that still stands."""

    courier: str
    reference: str
    tracking_number: str
    expected_on: date | None
    round: int


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """What a courier is asked to take, as it was when the order came to this step."""

    order: str
    round: int
    courier: str
    shipping_method: str
    destination: Address
    packages: tuple[Package, ...]
    earlier: tuple[Earlier, ...]
    asked_at: datetime | None = None
    """Since when the keys may be in use: since the order was placed, because after a restore to an earlier time they
    were used in a time that we know nothing of. None in jobs that were queued before this was kept."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What a courier has accepted, and what became of the earlier bookings."""

    courier: str
    reference: str
    tracking_number: str
    expected_on: date | None
    called_off: tuple[str, ...]
    """Earlier references that their couriers have called off."""
    abandoned: tuple[str, ...] = ()
    """Earlier references that a courier would not call off and never came for."""


@operation(
    "courier.book", gives=("courier", "reference", "tracking_number", "expected_on"), refuses=("booking_failed",),
)
class BookCourier(External):
    """Books the courier for the order's newest parcels, after calling off what was booked before.

    Refuses with `booking_failed` when nobody was chosen, the courier says no, or an earlier one has the goods already.
    """

    retry = RETRY

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call, courier: str, shipping_method: str) -> BookingRequest:
        order = load_order(call.session, call.order)
        parcels = newest_parcels(call.session, call.order)
        return BookingRequest(
            order=order.number,
            round=parcels[0].round if parcels else 0,
            courier=courier,
            shipping_method=shipping_method,
            destination=destination_of(order),
            packages=tuple(package_of(parcel) for parcel in parcels),
            earlier=tuple(
                Earlier(s.courier, s.reference, s.tracking_number, s.expected_on, s.round)
                for s in shipments(call.session, call.order, ("booked",))
            ),
            asked_at=order.placed_at,
        )

    def perform(self, request: BookingRequest, key: str) -> Booked:
        courier = self.ports.couriers.get(request.courier)
        if courier is None:
            raise Refused("booking_failed", f"There is no courier “{request.courier}”. Choose one of the list.")
        if not request.packages:
            raise Refused("booking_failed", "No parcel is packed, so there is nothing to book. Pack the order first.")
        called_off: list[str] = []
        abandoned: list[str] = []
        for earlier in request.earlier:
            outcome = _abandon(self.ports, earlier, f"{key}:cancel:{earlier.reference}", request.asked_at)
            if outcome == "picked_up":
                return self._keep(earlier, request)
            (called_off if outcome == "called_off" else abandoned).append(earlier.reference)


        def book(under: str) -> Booking:
            return courier.book(
                under,
                order=request.order,
                destination=request.destination,
                packages=request.packages,
                shipping_method=request.shipping_method,
            )

        booking = once(courier, key, asked_at=request.asked_at, clock=self.ports.clock, act=book)
        return Booked(
            request.courier, booking.reference, booking.tracking_number, booking.expected_on,
            tuple(called_off), tuple(abandoned),
        )  # fmt: skip

    def _keep(self, earlier: Earlier, request: BookingRequest) -> Booked:
        """The earlier courier came after all: its booking goes on if it is the one that was chosen."""
        if (earlier.courier, earlier.round) == (request.courier, request.round):
            return Booked(earlier.courier, earlier.reference, earlier.tracking_number, earlier.expected_on, ())
        who = label_of(earlier.courier)
        raise Refused(
            "booking_failed", f"{who} has picked the parcels up meanwhile ({earlier.reference}). Choose {who} to go on."
        )

    def by_hand(
        self, call: Call, request: BookingRequest, reason: str, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """A person has booked the courier, and called off what was booked before: `reference`, `tracking_number`."""
        reference, tracking = (str(given.get(name) or "").strip() for name in ("reference", "tracking_number"))
        if not reference:
            raise Problem(FieldError("/result/reference", 'Give the courier\'s booking number as {"reference": "…"}.'))
        if max(len(reference), len(tracking)) > _LONGEST_REFERENCE:
            raise Problem(FieldError("/result/reference", f"Enter at most {_LONGEST_REFERENCE} characters."))
        known = call.session.get(Shipment, reference)
        if known is not None and known.order_number != call.order:
            raise Problem(FieldError("/result/reference", f"That is a booking of {known.order_number}."))
        called_off = tuple(e.reference for e in request.earlier if e.reference != reference)
        return self.record(call, request, Booked(request.courier, reference, tracking, None, called_off))

    def record(self, call: Call, request: BookingRequest, booked: Booked) -> Mapping[str, Any]:
        for earlier in shipments(call.session, call.order, ("booked",)):
            if earlier.reference in booked.called_off:
                earlier.state, earlier.ended_at = "cancelled", call.now
            elif earlier.reference in booked.abandoned:
                earlier.state, earlier.ended_at = "given_up", call.now
        if call.session.get(Shipment, booked.reference) is None:
            next_number(call.session, "booking")
            call.session.add(
                Shipment(
                    reference=booked.reference,
                    order_number=call.order,
                    round=request.round,
                    courier=booked.courier,
                    tracking_number=booked.tracking_number,
                    state="booked",
                    expected_on=booked.expected_on,
                    booked_at=call.now,
                )
            )
        call.session.flush()
        return {
            "courier": booked.courier,
            "reference": booked.reference,
            "tracking_number": booked.tracking_number,
            "expected_on": booked.expected_on.isoformat() if booked.expected_on else None,
        }


def _abandon(ports: Ports, earlier: Earlier, key: str, asked_at: datetime | None) -> str:
    """Calls a booking off: `called_off`, `picked_up` when the goods are gone, else `stands` (nobody came for them)."""
    courier = ports.couriers.get(earlier.courier)
    if courier is None:
        return "stands"
    try:
        _call_off(courier, earlier.reference, key, asked_at, ports.clock)
    except Refused:
        return "picked_up" if courier.track(reference=earlier.reference) else "stands"
    return "called_off"


def _call_off(courier: Courier, reference: str, key: str, asked_at: datetime | None, clock: Clock) -> None:
    def act(under: str) -> Booking | None:
        courier.cancel(under, reference=reference)
        return None

    once(courier, key, asked_at=asked_at, clock=clock, act=act)


# --- step 16: proof --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """Of which shipment proof is wanted."""

    courier: str
    reference: str
    known: str
    """What an operator has recorded already; empty when nothing."""


@dataclass(frozen=True, slots=True)
class Proof:
    text: str


@operation(
    "courier.proof", gives=("status", "courier", "booking", "text"), refuses=("proof_missing",), reads=("booking",),
)
class ProveDelivery(External):
    """Asks the courier who signed. Proof that an operator has recorded counts. Refuses with `proof_missing`."""

    retry = RETRY

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call, courier: str) -> ProofRequest:
        shipment = current_shipment(call)
        if shipment is None:
            return ProofRequest(courier, "", "")
        return ProofRequest(shipment.courier, shipment.reference, shipment.proof or "")

    def perform(self, request: ProofRequest, key: str) -> Proof:
        if request.known:
            return Proof(request.known)
        courier = self.ports.couriers.get(request.courier)
        if courier is None or not request.reference:
            raise Refused("proof_missing", "No courier can be asked for proof. Ask for it yourself and record it.")
        return Proof(courier.proof(reference=request.reference))

    def by_hand(
        self, call: Call, request: ProofRequest, reason: str, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """A person has found out who took the parcels; the reason says it."""
        return self.record(call, request, Proof(reason))

    def record(self, call: Call, request: ProofRequest, proof: Proof) -> Mapping[str, Any]:
        shipment = call.session.get(Shipment, request.reference)
        if shipment is not None:
            shipment.proof = proof.text
            if shipment.state != "delivered":
                shipment.state, shipment.ended_at = "delivered", call.now
            call.session.flush()
        return {"status": "proved", "courier": request.courier, "booking": request.reference, "text": proof.text}


# --- cancellation ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiveBooking:
    courier: str
    reference: str


@dataclass(frozen=True, slots=True)
class CallOffRequest:
    """The bookings that stood when the cancellation came to its first step."""

    bookings: tuple[LiveBooking, ...]
    asked_at: datetime | None = None
    """Since when the keys are in use; None in jobs that were queued before this was kept."""


@dataclass(frozen=True, slots=True)
class CalledOff:
    references: tuple[str, ...]


@operation("courier.cancel", gives=("called_off",), refuses=("booking_stands",))
class CancelCourier(External):
    """Calls off every booking of the order that still stands, if any. Refuses with `booking_stands`."""

    retry = RETRY

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call) -> CallOffRequest:
        standing = shipments(call.session, call.order, ("booked",))
        return CallOffRequest(tuple(LiveBooking(s.courier, s.reference) for s in standing), call.now)

    def perform(self, request: CallOffRequest, key: str) -> CalledOff:
        for booking in request.bookings:
            courier = self.ports.couriers.get(booking.courier)
            if courier is None:
                raise Refused("booking_stands", f"{label_of(booking.courier)} cannot be asked to call off any more.")
            _call_off(
                courier, booking.reference, f"{key}:{booking.reference}", request.asked_at, self.ports.clock
            )
        return CalledOff(tuple(booking.reference for booking in request.bookings))

    def by_hand(
        self, call: Call, request: CallOffRequest, reason: str, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """A person has called the bookings off with the couriers."""
        return self.record(call, request, CalledOff(tuple(booking.reference for booking in request.bookings)))

    def record(self, call: Call, request: CallOffRequest, result: CalledOff) -> Mapping[str, Any]:
        for shipment in shipments(call.session, call.order, ("booked",)):
            if shipment.reference in result.references:
                shipment.state, shipment.ended_at = "cancelled", call.now
        call.session.flush()
        return {"called_off": list(result.references)}
