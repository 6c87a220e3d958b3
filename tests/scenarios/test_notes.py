"""Notes on an order: for colleagues, in its history; nothing moves because of them."""

from __future__ import annotations

import pytest

from engine.errors import InvalidForm, NotFound
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.shop import PEOPLE, Shop

pytestmark = SQLITE_USUALLY


def test_a_note_is_kept_in_the_history_and_moves_nothing(shop: Shop) -> None:
    """Also under a gate: what is signed there stays as it is, and who wrote a note may sign."""
    order = shop.places_order().goes_to("approve_reservation")
    before = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval
    assert before is not None

    shop.engine.note(order.number, PEOPLE["stock-approver"], "  The customer calls every day.  ")

    event = order.history()[-1]
    assert (event.kind, event.actor, event.detail) == (
        "noted", "stock-approver", {"comment": "The customer calls every day."})
    after = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval
    assert after is not None
    assert (after.snapshot, after.blocked) == (before.snapshot, None)
    assert shop.engine.verify_audit(order.number) == []


def test_a_closed_order_takes_notes_too(shop: Shop) -> None:
    """What is learnt later belongs to it as well."""
    order = shop.places_order().goes_to_its_end()

    shop.engine.note(order.number, PEOPLE["sales"], "A box came back in June.")

    assert (order.status, order.history()[-1].kind) == ("closed", "noted")
    assert shop.engine.verify_audit(order.number) == []


@pytest.mark.parametrize("text", ["", "  \n", "x" * 2001, "a\x00b"])
def test_a_note_says_something(shop: Shop, text: str) -> None:
    """And no more than can be read."""
    order = shop.places_order()

    with pytest.raises(InvalidForm):
        shop.engine.note(order.number, PEOPLE["sales"], text)
    with pytest.raises(NotFound):
        shop.engine.note("WB-0", PEOPLE["sales"], "Hello.")
    assert "noted" not in [event.kind for event in order.history()]
