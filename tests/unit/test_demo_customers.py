"""The demo's chance and its customers: repeatable, acceptable, and mistaken in ways that step 2 doubts."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from demo.customers import order_form
from demo.dice import Dice
from engine import forms
from handlers.catalogue import demo_catalogue
from handlers.contract import Choice, FormContext
from handlers.couriers.profiles import PROFILES
from handlers.customers import FIELDS, doubts
from handlers.orders import HEAVIEST_ORDER_G
from settings import ROOT

SEEDS = (1, 2, 7, 9)
CUSTOMERS = range(1, 251)


def test_the_same_seed_and_question_give_the_same_answer_in_any_order() -> None:
    """A run that was killed meets the same luck when it is taken up again."""
    first = [Dice(7).roll("order", n) for n in range(20)]
    later = [Dice(7).roll("order", n) for n in reversed(range(20))]

    assert first == later[::-1]
    assert first != [Dice(8).roll("order", n) for n in range(20)]
    assert len(set(first)) == 20


def test_every_answer_lies_where_it_should() -> None:
    """Chances come true about as often as they say, and bounds are kept."""
    dice = Dice(1)
    numbers = Counter(dice.number(3, 5, n) for n in range(600))
    weighed = Counter(dice.weigh({"often": 3.0, "never": 0.0, "seldom": 1.0}, n) for n in range(600))

    assert all(0 <= dice.roll(n) < 1 for n in range(600))
    assert set(numbers) == {3, 4, 5}
    assert min(numbers.values()) > 150
    assert 100 < weighed["seldom"] < 200
    assert weighed["never"] == 0
    assert 30 < sum(dice.chance(0.1, n) for n in range(600)) < 90
    assert {dice.pick("abc", n) for n in range(50)} == set("abc")


@pytest.mark.parametrize("seed", SEEDS)
def test_what_customers_order_passes_the_form_of_step_1(seed: int) -> None:
    """Every order of the demo is one that the shop takes."""
    weights = {row.sku: row.weight_g for row in demo_catalogue()}
    sold = [Choice(row.sku, row.name) for row in demo_catalogue()]
    schema = forms.schema_for(
        orjson.loads((ROOT / "forms" / "receive_order.json").read_bytes()), FormContext(choices={"items.sku": sold})
    )

    for n in CUSTOMERS:
        form = order_form(Dice(seed), n)
        forms.check(schema, form)
        skus = [item["sku"] for item in form["items"]]
        assert len(set(skus)) == len(skus) > 0
        assert sum(weights[item["sku"]] * item["quantity"] for item in form["items"]) <= HEAVIEST_ORDER_G
        assert form == order_form(Dice(seed), n)


@pytest.mark.parametrize("seed", SEEDS)
def test_mistakes_are_doubted_and_everything_else_is_not(seed: int) -> None:
    """Step 2 sees each mistake in the field where the customer made it."""
    kinds: Counter[str] = Counter()
    for n in CUSTOMERS:
        dice = Dice(seed)
        form = order_form(dice, n)
        found = {doubt.field for doubt in doubts({name: form.get(name, "") for name in FIELDS})}
        kind = dice.pick(("postal_code", "phone", "email"), n, "mistaken")
        mistaken = kind if dice.chance(0.12, n, "mistake") else ""
        assert (mistaken in found) if mistaken else not found, (form, found)
        kinds[mistaken] += 1

    assert set(kinds) == {"", "postal_code", "phone", "email"}


def test_every_way_to_pay_and_to_ship_occurs() -> None:
    """Few customers are enough to meet most of what the shop offers."""
    forms_ = [order_form(Dice(7), n) for n in range(1, 51)]

    assert {form["payment_method"] for form in forms_} == {"credit_card", "paypal", "bank_transfer"}
    assert {form["shipping_method"] for form in forms_} == {"standard", "express", "overnight"}
    assert {form["follow_up"] for form in forms_} == {"request_feedback", "offer_discount", "encourage_review"}
    assert all(("payment_token" in form) == (form["payment_method"] != "bank_transfer") for form in forms_)
    assert len({form["country"] for form in forms_}) > 5
    assert len(PROFILES) == 5
