"""Steps 1 to 4: doubtful customer details, and products that are missing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import InvalidForm
from handlers.contract import Call
from handlers.tables import Stock
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.shop import Shop

pytestmark = SQLITE_USUALLY

# --- doubtful details ----------------------------------------------------------------------------------------------


def test_a_doubtful_phone_is_corrected_and_the_order_goes_on(shop: Shop) -> None:
    """A doubt stops the order; corrected details are verified again and the order goes on by itself."""
    order = shop.places_order(phone="12")
    assert order.open_elements() == ["correct_details"]

    order.does("correct_details", confirm_as_is=False, reason=None, phone="+49 30 901820")

    assert order.open_elements() == ["approve_reservation"]
    assert order.steps() == [1, 2, 3, 4]
    assert order.row().phone == "+49 30 901820"


def test_a_correction_that_is_doubtful_too_comes_back(shop: Shop) -> None:
    """What was corrected is verified like everything else."""
    order = shop.places_order(phone="12")

    order.does("correct_details", confirm_as_is=False, reason=None, phone="34")

    assert order.open_elements() == ["correct_details"]


def test_doubtful_details_are_confirmed_with_a_reason(shop: Shop) -> None:
    """A person may say that doubtful details are right, and why; nothing is changed."""
    order = shop.places_order(postal_code="99999x")

    order.does("correct_details", confirm_as_is=True, reason="The customer lives on a ship.")

    assert order.open_elements() == ["approve_reservation"]
    assert order.row().details_confirmed == "The customer lives on a ship."


def test_confirming_needs_a_reason(shop: Shop) -> None:
    """Without a reason the form comes back, and nothing has moved."""
    order = shop.places_order(phone="12")

    with pytest.raises(InvalidForm) as refused:
        order.does("correct_details", confirm_as_is=True, reason=None)

    assert [error.field for error in refused.value.errors] == ["/reason"]
    assert order.open_elements() == ["correct_details"]


# --- shortage -----------------------------------------------------------------------------------------------------


def test_a_short_order_waits_until_the_goods_arrive(shop: Shop) -> None:
    """After “wait” the arrival of stock has the order checked again, and reserved."""
    shop.has("product-a", 1)
    order = shop.places_order()
    assert order.open_elements() == ["resolve_shortage"]

    order.answers("resolve_shortage", choice="wait")
    assert order.waits_at() == ["wait_for_restock"]

    shop.has("product-a", 10)
    order.hears("stock.arrived", sku="product-a", region="europe")

    assert order.open_elements() == ["approve_reservation"]
    assert shop.stock("product-a") == (10, 2)


def test_an_arrival_that_is_not_enough_leaves_the_order_short(shop: Shop) -> None:
    """Who waited and is still short is asked again."""
    shop.has("product-a", 0)
    order = shop.places_order()
    order.answers("resolve_shortage", choice="wait")

    shop.has("product-a", 1)
    order.hears("stock.arrived", sku="product-a", region="europe")

    assert order.open_elements() == ["resolve_shortage"]


def test_goods_that_do_not_arrive_in_seven_days_are_asked_about_again(shop: Shop) -> None:
    """Nobody waits for restock longer than 7 days."""
    shop.has("product-a", 1)
    order = shop.places_order()
    order.answers("resolve_shortage", choice="wait")

    shop.time_passes(days=6, hours=23)
    assert order.waits_at() == ["wait_for_restock"]
    shop.time_passes(hours=1)

    assert order.open_elements() == ["resolve_shortage"]
    order.hears("stock.arrived", sku="product-a", region="europe")
    assert order.open_elements() == ["resolve_shortage"], "an arrival after the seven days moves nobody"


def test_another_region_serves_a_short_order(shop: Shop) -> None:
    """“Other region” takes the goods from there."""
    shop.has("product-a", 1)
    order = shop.places_order()

    order.answers("resolve_shortage", choice="other_region", stock_region="malaysia")

    assert order.open_elements() == ["approve_reservation"]
    assert shop.stock("product-a", "malaysia") == (160, 2)
    assert shop.stock("product-a") == (1, 0)


def test_another_region_that_is_short_too_is_refused(shop: Shop) -> None:
    """A region that has too few cannot be chosen."""
    shop.has("product-a", 1)
    shop.has("product-a", 1, "malaysia")
    order = shop.places_order()

    with pytest.raises(InvalidForm) as refused:
        order.answers("resolve_shortage", choice="other_region", stock_region="malaysia")

    assert [error.field for error in refused.value.errors] == ["/stock_region"]


def test_fewer_are_shipped_and_invoiced(shop: Shop) -> None:
    """“Fewer” lowers the order; only what is left is invoiced."""
    shop.has("product-a", 1)
    order = shop.places_order()

    order.answers("resolve_shortage", choice="fewer",
                  items=[{"sku": "product-a", "quantity": 1}, {"sku": "product-c", "quantity": 1}])
    order.goes_to_its_end()

    assert order.status == "closed"
    assert order.variables["order"]["total"] == 2_490 + 5_995
    assert order.money()["invoiced"] == order.money()["captured"] == order.variables["invoice"]["total"]
    assert shop.stock("product-a") == (0, 0)


def test_a_short_order_is_cancelled(shop: Shop) -> None:
    """“Cancel” ends the order with nothing reserved, and the customer is told why."""
    shop.has("product-a", 1)
    before = shop.shelves()
    order = shop.places_order()

    order.answers("resolve_shortage", choice="cancel")

    assert order.status == "cancelled"
    assert shop.shelves() == before
    assert order.mails() == ["received", "cancelled"]
    assert order.variables["cancellation"]["reason"].startswith("Cancelled: no stock")


def test_goods_that_are_taken_between_check_and_reservation_are_a_shortage(shop: Shop) -> None:
    """Step 3 promises nothing: what another order took meanwhile is met at step 4, all lines or none."""
    check = shop.shipped("inventory.check")

    def check_then_others_buy(call: Call, region: str) -> Any:
        found = check(call, region)
        call.session.get_one(Stock, ("product-c", region)).on_hand = 0
        call.session.flush()
        return found

    shop.replaces("inventory.check", check_then_others_buy)
    order = shop.places_order()

    assert order.open_elements() == ["resolve_shortage"]
    assert [e.element for e in order.history() if e.kind == "refused"] == ["reserve_inventory"]
    assert shop.stock("product-a") == (380, 0), "nothing of a half reservation stays"
