"""What Waybill relies on in every courier. A new courier is one more entry of `COURIERS`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from handlers.contract import CALL_SECONDS, Refused, TryAgain
from handlers.couriers.embedded import EmbeddedCourier, Fault
from handlers.couriers.journeys import Plan, Webhook
from handlers.couriers.port import Address, Booking, Courier, Package
from handlers.couriers.profiles import PROFILES

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOME = {"courier_a": "US", "courier_b": "BR", "courier_c": "FR", "courier_d": "DE", "courier_e": "MY"}


class MovingClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def pass_time(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass
class World:
    """One courier and everything that a test may decide about it."""

    courier: EmbeddedCourier
    clock: MovingClock
    method: str
    address: Address
    plan: Plan = field(default_factory=Plan)
    faults: list[Fault] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def book(self, key: str = "WB-1:assign_courier:1", order: str = "WB-1", *packages: Package) -> Booking:
        return self.courier.book(
            key,
            order=order,
            destination=self.address,
            packages=packages or (package(),),
            shipping_method=self.method,
        )

    def deliver(self) -> list[Webhook]:
        """Takes and acknowledges what the courier wants to tell now."""
        hooks = self.courier.due_webhooks(self.clock.now())
        for hook in hooks:
            self.courier.acknowledge(hook.id)
        return hooks

    def arrive(self) -> None:
        self.clock.pass_time(days=30)


def package(sscc: str = "095212340000000013", **changes: int) -> Package:
    measures = {"weight_g": 1_200, "length_cm": 40, "width_cm": 30, "height_cm": 20, **changes}
    return Package(sscc, **measures)


def embedded(code: str) -> Callable[[Path], World]:
    def make(folder: Path) -> World:
        clock, profile = MovingClock(), PROFILES[code]
        address = Address("Mia Tanaka", "350 Fifth Avenue", "New York", "NY", "10118", HOME[code])
        courier = EmbeddedCourier(code, profile, folder / "couriers" / f"{code}.sqlite", clock)
        world = World(courier, clock, next(iter(profile.services)), address)
        courier.plan = lambda _order, _courier: world.plan
        courier.faults = lambda _method, _key: world.faults.pop(0) if world.faults else None
        courier._sleep = world.slept.append
        return world

    return make


COURIERS: dict[str, Callable[[Path], World]] = {code: embedded(code) for code in PROFILES}


@pytest.fixture(params=COURIERS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return COURIERS[request.param](tmp_path)


# --- rates and rules -------------------------------------------------------------------------------------------------


def test_a_courier_names_a_price_for_what_it_takes(world: World) -> None:
    """A rate is a whole amount in minor units and a promise in days."""
    (rate,) = world.courier.rates(destination=world.address, packages=[package()], shipping_method=world.method)

    assert rate.courier == world.courier.code
    assert rate.amount > 0
    assert isinstance(rate.amount, int)
    assert rate.days >= 1


def test_more_weight_and_more_parcels_cost_more(world: World) -> None:
    """A courier carries nothing for free."""

    def amount(*packages: Package) -> int:
        rates = world.courier.rates(destination=world.address, packages=packages, shipping_method=world.method)
        return rates[0].amount

    assert amount(package()) < amount(package(weight_g=9_000)) < amount(package(weight_g=9_000), package("2"))


def test_what_is_too_heavy_too_long_or_not_offered_has_no_rate_and_is_not_booked(world: World) -> None:
    """A courier keeps to its limits: weight, length and shipping method."""
    heavy = package(weight_g=world.courier.profile.max_weight_g + 1)
    long = package(height_cm=world.courier.profile.max_side_cm + 1)

    for wrong in (heavy, long):
        assert world.courier.rates(destination=world.address, packages=[wrong], shipping_method=world.method) == []
        with pytest.raises(Refused) as refusal:
            world.book(f"k-{wrong.weight_g}-{wrong.height_cm}", "WB-1", wrong)
        assert refusal.value.code == "booking_failed"
    world.method = "by_pigeon"
    with pytest.raises(Refused, match="does not offer by_pigeon"):
        world.book("pigeon")


def test_the_heaviest_and_longest_allowed_is_taken(world: World) -> None:
    """A limit is part of what is allowed."""
    profile = world.courier.profile

    assert world.book("k", "WB-1", package(weight_g=profile.max_weight_g, length_cm=profile.max_side_cm)).reference


def test_a_country_that_a_courier_does_not_serve_is_refused(tmp_path: Path) -> None:
    """Only the worldwide courier goes everywhere."""
    takes = []
    for code in PROFILES:
        world = embedded(code)(tmp_path)
        world.address = Address("Ana", "Rua 1", "Recife", "PE", "50000-000", "BR")
        if PROFILES[code].countries is None:
            takes.append(world.book().reference)
            continue
        with pytest.raises(Refused, match="does not deliver to BR"):
            world.book()
    assert len(takes) == 1


def test_every_shipping_method_reaches_every_country_with_somebody() -> None:
    """No order that was taken is left without any courier."""
    anywhere = PROFILES["courier_b"]
    assert anywhere.countries is None
    assert set(anywhere.services) == {"standard", "express", "overnight"}


# --- repeating -------------------------------------------------------------------------------------------------------


def test_the_same_key_books_once(world: World) -> None:
    """A repeated request gets the first answer and no second van."""
    first = world.book()
    world.clock.pass_time(hours=5)

    assert world.book() == first
    assert len(world.courier.bookings("WB-1")) == 1


def test_another_key_is_another_booking(world: World) -> None:
    """What the caller means as new is new."""
    assert world.book("one").reference != world.book("two").reference


def test_a_key_for_something_else_is_refused(world: World) -> None:
    """A key names one request; a mistake of ours must not be answered with another order's booking."""
    world.book("k", "WB-1")

    with pytest.raises(Refused, match="something else"):
        world.book("k", "WB-2")


def test_a_refusal_is_repeated_under_its_key(world: World) -> None:
    """A no stays a no for the same request, and a new request is asked anew."""
    world.faults = [Fault("refuse")]
    with pytest.raises(Refused):
        world.book("k")

    with pytest.raises(Refused):
        world.book("k")
    assert world.book("k2").reference


def test_a_lost_reply_leaves_one_booking(world: World) -> None:
    """The work was done though nobody heard of it; asking again with the key finds it."""
    world.faults = [Fault("lost_reply")]
    with pytest.raises(TryAgain):
        world.book()

    assert world.courier.bookings("WB-1")[0].reference == world.book().reference
    assert len(world.courier.bookings("WB-1")) == 1


def test_an_unavailable_courier_does_nothing(world: World) -> None:
    """A 503 is worth another try and leaves nothing behind."""
    world.faults = [Fault("unavailable")]

    with pytest.raises(TryAgain, match="503"):
        world.book()
    assert world.courier.bookings() == []


def test_a_slow_courier_answers_all_the_same(world: World) -> None:
    """Slowness alone changes no answer."""
    world.faults = [Fault("slow", seconds=7)]

    assert world.book().reference
    assert world.slept == [7]


def test_every_call_may_fail_for_a_while(world: World) -> None:
    """Asking is no safer than booking."""
    reference = world.book().reference
    asks: tuple[Callable[[], object], ...] = (
        lambda: world.courier.track(reference=reference),
        lambda: world.courier.proof(reference=reference),
        lambda: world.courier.label(reference=reference),
        lambda: world.courier.cancel("c", reference=reference),
        lambda: world.courier.rates(destination=world.address, packages=[package()], shipping_method=world.method),
    )
    for ask in asks:
        world.faults = [Fault("unavailable")]
        with pytest.raises(TryAgain):
            ask()


def test_what_was_done_under_a_key_is_found_at_any_age(world: World) -> None:
    """A booking by the key it was made under, also by the one it was called off under; nothing else is found."""
    booking = world.book("k")
    other = world.book("k2", "WB-2")
    world.courier.cancel("c", reference=other.reference)
    world.faults = [Fault("refuse")]
    with pytest.raises(Refused):
        world.book("no")

    world.clock.pass_time(days=90)

    assert world.courier.find("k") == booking
    assert world.courier.find("c") == other
    assert world.courier.find("no") is None
    assert world.courier.find("never asked") is None


def test_a_key_is_remembered_for_its_window_only(world: World) -> None:
    """Within the window it is one booking; after it the same request sends a second van, and the first is found."""
    booking = world.book()
    world.clock.pass_time(seconds=world.courier.key_window.total_seconds() - 1)
    assert world.book() == booking

    world.clock.pass_time(seconds=1)
    again = world.book()

    assert again.reference != booking.reference
    assert world.book() == again
    assert world.courier.find("WB-1:assign_courier:1") == booking
    assert len(world.courier.bookings("WB-1")) == 2


def test_books_of_an_earlier_version_are_read_on(tmp_path: Path) -> None:
    """Bookings and keys that were written before keys aged still count."""
    world = embedded("courier_c")(tmp_path)
    booking = world.book("k")
    path = tmp_path / "couriers" / "courier_c.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript("DROP INDEX booking_by_key; ALTER TABLE booking DROP COLUMN key;"
                          "ALTER TABLE answer DROP COLUMN at")

    for _ in range(2):
        world = embedded("courier_c")(tmp_path)
        assert world.courier.find("k") == booking
        assert world.book("k") == booking


def test_a_courier_that_answers_too_late_is_not_waited_for(world: World) -> None:
    """Nobody waits longer than the calls of a job may take; what became of it is asked again later."""
    world.faults = [Fault("slow", CALL_SECONDS + 1)]

    with pytest.raises(TryAgain):
        world.book()

    assert world.slept == [CALL_SECONDS]


def test_threads_with_one_key_book_once(world: World) -> None:
    """Two workers with the same job get the same booking."""
    with ThreadPoolExecutor(8) as pool:
        booked = {booking.reference for booking in pool.map(lambda _: world.book(), range(16))}

    assert len(booked) == 1
    assert len(world.courier.bookings()) == 1


def book_elsewhere(path: Path) -> str:
    """Books in a process of its own."""
    courier = EmbeddedCourier("courier_c", PROFILES["courier_c"], path, MovingClock())
    address = Address("Mia Tanaka", "1 Rue de la Paix", "Paris", "", "75002", "FR")
    return courier.book(
        "k", order="WB-1", destination=address, packages=[package()], shipping_method="standard"
    ).reference


def test_processes_with_one_key_book_once(tmp_path: Path) -> None:
    """So do two workers in different processes."""
    path = tmp_path / "couriers.sqlite"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        booked = set(pool.map(book_elsewhere, [path] * 6))

    assert len(booked) == 1
    assert len(EmbeddedCourier("courier_c", PROFILES["courier_c"], path, MovingClock()).bookings()) == 1


def test_all_couriers_may_share_one_file(tmp_path: Path) -> None:
    """Whose booking it is does not depend on where it is written down."""
    clock, path = MovingClock(), tmp_path / "couriers.sqlite"
    couriers = {code: EmbeddedCourier(code, PROFILES[code], path, clock) for code in PROFILES}
    for code, courier in couriers.items():
        courier.book(
            "k",
            order="WB-1",
            destination=Address("Mia", "Street 1", "City", "", "1", HOME[code]),
            packages=[package()],
            shipping_method=next(iter(courier.profile.services)),
        )
    clock.pass_time(hours=4)

    for courier in couriers.values():
        (entry,) = courier.bookings("WB-1")
        (hook,) = courier.due_webhooks(clock.now())
        assert hook.payload["booking"] == entry.reference
    foreign = couriers["courier_a"].bookings()[0].reference
    assert couriers["courier_b"].track(reference=foreign) == []
    with pytest.raises(Refused):
        couriers["courier_b"].cancel("c", reference=foreign)


# --- label, cancel, proof --------------------------------------------------------------------------------------------


def test_the_couriers_label_names_every_parcel(world: World) -> None:
    """One routing label a parcel, with its SSCC and the tracking number."""
    booking = world.book("k", "WB-1", package("095212340000000013"), package("095212340000000020"))

    label = world.courier.label(reference=booking.reference).decode()

    assert label.count("^XA") == label.count("^XZ") == 2
    assert ">;>800095212340000000013" in label
    assert ">;>800095212340000000020" in label
    assert booking.tracking_number in label
    with pytest.raises(Refused):
        world.courier.label(reference="unknown")


def test_a_booking_is_called_off_before_its_pickup(world: World) -> None:
    """What was called off sends no more word and may be called off again."""
    reference = world.book().reference

    world.courier.cancel("c", reference=reference)
    world.courier.cancel("c", reference=reference)
    world.clock.pass_time(hours=9)
    world.courier.cancel("another key", reference=reference)

    world.arrive()
    assert world.deliver() == []
    assert world.courier.track(reference=reference) == []
    assert world.courier.bookings()[0].cancelled_at == START


def test_a_booking_stands_once_the_parcels_are_picked_up(world: World) -> None:
    """Nobody calls a parcel back from the road."""
    reference = world.book().reference
    world.clock.pass_time(hours=4)

    with pytest.raises(Refused) as refusal:
        world.courier.cancel("c", reference=reference)
    assert refusal.value.code == "booking_stands"
    world.arrive()
    assert [hook.name for hook in world.deliver()][-1] == "courier.reported"


def test_a_call_off_that_was_refused_or_whose_reply_was_lost_is_answered_alike_again(world: World) -> None:
    """The answer belongs to the key."""
    reference = world.book().reference
    world.faults = [Fault("refuse")]
    for _ in range(2):
        with pytest.raises(Refused):
            world.courier.cancel("c1", reference=reference)
    world.faults = [Fault("lost_reply")]
    with pytest.raises(TryAgain):
        world.courier.cancel("c2", reference=reference)

    world.courier.cancel("c2", reference=reference)

    assert world.courier.bookings()[0].cancelled_at is not None


def test_there_is_proof_once_it_is_delivered_and_not_before(world: World) -> None:
    """Proof says who signed and when."""
    reference = world.book().reference
    with pytest.raises(Refused) as refusal:
        world.courier.proof(reference=reference)
    assert refusal.value.code == "proof_missing"
    world.arrive()

    proof = world.courier.proof(reference=reference)
    assert re.fullmatch(r"Signed by Mia Tanaka in New York on \d{1,2} (Nov|Dec) 2026, \d\d:\d\d UTC\.", proof)


def test_some_deliveries_have_no_proof(world: World) -> None:
    """Delivered, but nobody signed: people have to ask."""
    world.plan = Plan(proof=False)
    reference = world.book().reference
    world.arrive()

    with pytest.raises(Refused):
        world.courier.proof(reference=reference)
    assert world.courier.track(reference=reference)[-1].status == "delivered"
    for unknown in ("", "unknown"):
        with pytest.raises(Refused):
            world.courier.proof(reference=unknown)


# --- what it sends by itself -----------------------------------------------------------------------------------------


def statuses(hooks: list[Webhook]) -> list[str]:
    return [hook.payload.get("status", "picked_up") for hook in hooks]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan(), ["picked_up", "on_the_way", "out_for_delivery", "delivered"]),
        (Plan(delayed=True), ["picked_up", "on_the_way", "delayed", "out_for_delivery", "delivered"]),
        (Plan(ending="lost"), ["picked_up", "on_the_way", "lost"]),
        (Plan(ending="refused"), ["picked_up", "on_the_way", "out_for_delivery", "refused"]),
        (Plan(ending="returned"), ["picked_up", "on_the_way", "out_for_delivery", "returned"]),
        (Plan(ending="silent"), ["picked_up", "on_the_way"]),
        (Plan(pickup="never"), []),
    ],
)
def test_a_plan_decides_what_is_reported(world: World, plan: Plan, expected: list[str]) -> None:
    """Everything that can happen to a parcel happens when it is asked for."""
    world.plan = plan
    reference = world.book().reference
    world.arrive()

    hooks = world.deliver()

    assert statuses(hooks) == expected
    assert [report.status for report in world.courier.track(reference=reference)] == expected
    assert {hook.order for hook in hooks} <= {"WB-1"}
    assert len({hook.id for hook in hooks}) == len(hooks)
    assert world.deliver() == []


def test_webhooks_carry_what_the_diagram_reads(world: World) -> None:
    """A pickup names booking, time and driver; a report booking, status, time, place and note."""
    reference = world.book().reference
    world.arrive()

    pickup, report, *_ = world.deliver()

    assert (pickup.name, set(pickup.payload)) == ("courier.picked_up", {"booking", "at", "driver"})
    assert (report.name, set(report.payload)) == ("courier.reported", {"booking", "status", "at", "place", "note"})
    assert pickup.payload["booking"] == report.payload["booking"] == reference
    assert pickup.payload["at"] == "2026-11-23T11:00:00.000000Z"


def test_nothing_is_reported_before_it_happens(world: World) -> None:
    """Word follows the clock, and the courier knows when it will speak next."""
    world.book()
    assert world.deliver() == []
    assert world.courier.next_webhook_at() == START + timedelta(hours=3)

    world.clock.pass_time(hours=3)

    assert statuses(world.deliver()) == ["picked_up"]


def test_word_comes_again_until_it_is_acknowledged(world: World) -> None:
    """A crash between taking and acknowledging loses nothing."""
    world.book()
    world.clock.pass_time(hours=3)

    first, again = (world.courier.due_webhooks(world.clock.now()) for _ in range(2))
    world.courier.acknowledge(first[0].id)
    world.courier.acknowledge("nonsense")

    assert first == again
    assert world.courier.due_webhooks(world.clock.now()) == []


def test_word_may_come_twice_with_the_same_id(world: World) -> None:
    """A receiver must tell a repetition by its id."""
    world.plan = Plan(twice=True)
    world.book()
    world.arrive()

    assert world.deliver() == world.deliver() != []
    assert world.deliver() == []


def test_word_may_come_out_of_order_with_true_times(world: World) -> None:
    """Only `at` tells what was first."""
    world.plan = Plan(out_of_order=True)
    world.book()
    world.arrive()

    hooks = world.deliver()

    assert statuses(hooks) == ["picked_up", "out_for_delivery", "on_the_way", "delivered"]
    times = {hook.payload.get("status"): hook.payload["at"] for hook in hooks}
    assert times["on_the_way"] < times["out_for_delivery"]


def test_a_late_pickup_comes_after_a_day(world: World) -> None:
    """Later than the diagram waits, so that another courier is chosen."""
    world.plan = Plan(pickup="late")
    world.book()
    world.clock.pass_time(days=1)
    assert world.deliver() == []

    world.clock.pass_time(hours=7)

    assert statuses(world.deliver()) == ["picked_up"]


def test_time_can_be_scaled(world: World) -> None:
    """In the demo a delivery takes seconds."""
    world.courier.scale = 1 / 86_400
    world.book()

    world.clock.pass_time(seconds=40)

    assert statuses(world.deliver())[-1] == "delivered"


def test_every_courier_satisfies_the_port(world: World) -> None:
    """The type checker holds the methods, this their names at run time."""
    courier: Courier = world.courier
    assert all(callable(getattr(courier, name)) for name in ("rates", "book", "label", "track", "proof", "cancel"))
