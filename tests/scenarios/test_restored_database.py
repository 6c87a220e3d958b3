"""The database was restored to an earlier moment: companies outside remember what Waybill does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import app
from engine.base import Library
from tests.clock import MovableClock
from tests.scenarios.conftest import SQLITE_ONLY, Outside
from tests.scenarios.shop import OrderHandle, Shop

pytestmark = SQLITE_ONLY


@pytest.mark.parametrize("days", [0, 9])
@pytest.mark.parametrize("moment", ["approve_reservation", "prepare_shipment"])
def test_what_was_done_since_is_not_done_again(
    shop: Shop, clock: MovableClock, outside: Outside, library: Library, tmp_path: Path, moment: str, days: int
) -> None:
    """Charged once and fetched once, also when the provider and the courier have forgotten the keys by then."""
    order = shop.places_order().goes_to(moment)
    copied = tmp_path / "copied.db"
    shop.parts.database.copy(copied, beside=lambda: None, report=lambda _done, _of: None)
    order.goes_to("confirm_pickup")
    captured, booked = captures(shop), bookings(shop)
    assert (len(captured), len(booked)) == (1, 1)
    clock.advance(days=days)

    with reopened(shop, copied, clock, outside, library) as restored:
        again = OrderHandle(restored, order.number)
        again.goes_to("confirm_pickup")

        assert again.incidents() == []
        assert captures(restored) == captured
        assert bookings(restored) == booked
        assert again.money()["captured"] == again.money()["invoiced"]


def captures(shop: Shop) -> list[str]:
    """What the provider has taken, by its own books."""
    return [m.reference for m in shop.parts.ports.payments.statement() if m.kind == "capture"]  # type: ignore[attr-defined]


def bookings(shop: Shop) -> list[str]:
    """What the couriers have taken on, by their own books."""
    return [entry.reference for courier in shop.parts.ports.couriers.values() for entry in courier.bookings()]  # type: ignore[attr-defined]


@contextmanager
def reopened(
    shop: Shop, database: Path, clock: MovableClock, outside: Outside, library: Library
) -> Iterator[Shop]:
    """The same installation, in the same world, on another database."""
    settings = shop.parts.settings.model_copy(update={"database_url": f"sqlite:///{database}"})
    parts = app.build(settings, clock=clock, counterparties=outside.counterparties())
    parts.engine.library = library
    parts.ports.renderer.pdf = shop.parts.ports.renderer.pdf  # type: ignore[method-assign]
    yield Shop(parts, clock)
    parts.database.dispose()
