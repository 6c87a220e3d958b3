"""The shop's operations and the analysts' forms agree: what a form starts with and its example fit its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy.orm import Session

from handlers import customers, inventory, orders, restock
from handlers.contract import Call, Clock, FormContext
from tests.shopfloor import FIRST, call, product, stock_up, take_order

FORMS = Path(__file__).parents[2] / "forms"


def schema(form: str, context: FormContext) -> dict[str, Any]:
    """The form's schema with the context's pick lists in it, as the engine shows it."""
    merged: dict[str, Any] = json.loads((FORMS / f"{form}.json").read_text())
    for path, choices in context.choices.items():
        place = merged
        for name in path.split("."):
            place = place["properties"][name]
            place = place["items"] if place["type"] == "array" else place
        place["oneOf"] = [{"const": choice.value, "title": choice.label} for choice in choices]
    return merged


def received(session: Session, clock: Clock) -> tuple[str, FormContext]:
    return "receive_order", orders.receive_form(call(session, clock))


def doubted(session: Session, clock: Clock) -> tuple[str, FormContext]:
    take_order(session, clock, phone="12", region="", postal_code="")
    return "correct_details", customers.correct_form(call(session, clock))


def short(session: Session, clock: Clock) -> tuple[str, FormContext]:
    take_order(session, clock, items=[{"sku": "product-a", "quantity": 11}, {"sku": "product-b", "quantity": 1}])
    return "resolve_shortage", inventory.shortage_form(call(session, clock))


def all_gone(session: Session, clock: Clock) -> tuple[str, FormContext]:
    stock_up(session, clock, product(stock={"north_america": 0, "europe": 0, "malaysia": 0}))
    take_order(session, clock)
    return "resolve_shortage", inventory.shortage_form(call(session, clock))


def picked(session: Session, clock: Clock) -> tuple[str, FormContext]:
    taken_out = _reserved(session, clock)
    inventory.pick(taken_out)
    return "put_goods_back", inventory.put_back_form(taken_out)


def fulfilled(session: Session, clock: Clock) -> tuple[str, FormContext]:
    taken_out = _reserved(session, clock)
    inventory.ship(session, FIRST, clock.now())
    return "prepare_next", restock.restock_form(taken_out)


def nothing_taken(session: Session, clock: Clock) -> tuple[str, FormContext]:
    take_order(session, clock)
    return "prepare_next", restock.restock_form(call(session, clock))


def _reserved(session: Session, clock: Clock) -> Call:
    take_order(session, clock)
    inventory.reserve(call(session, clock), "europe")
    return call(session, clock)


@pytest.mark.parametrize("situation", [received, doubted, short, all_gone, picked, fulfilled, nothing_taken])
def test_data_and_example_fit_the_form(session: Session, clock: Clock, situation: Any) -> None:
    """A form can be sent as it is shown to be sent; what it starts with names only its own fields."""
    stock_up(session, clock)

    form, context = situation(session, clock)

    merged = schema(form, context)
    assert [error.message for error in Draft202012Validator(merged).iter_errors(dict(context.example))] == []
    assert set(context.data) <= set(merged["properties"])
