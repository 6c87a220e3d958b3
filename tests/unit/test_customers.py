"""Step 2: which details are doubted, and why."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from handlers import customers
from handlers.contract import Clock, Problem, Refused
from handlers.customers import Doubt, doubts
from handlers.orders import load_order
from tests.shopfloor import FIRST, call, order_form, stock_up, take_order

GERMAN = {
    "name": "Jürgen Groß", "email": "jg@firma.example", "phone": "030 901820", "street": "Unter den Linden 77",
    "city": "Berlin", "region": "", "postal_code": "10117", "country": "DE",
}  # fmt: skip
MALAYSIAN = {
    "name": "Nur Aisyah", "email": "nur@kedai.test", "phone": "+60 3-2161 1000", "street": "Jalan Ampang 12",
    "city": "Kuala Lumpur", "region": "Kuala Lumpur", "postal_code": "50450", "country": "MY",
}  # fmt: skip
AMERICAN = {name: order_form()[name] for name in customers.FIELDS}


def fields(**told: str) -> list[str]:
    return [doubt.field for doubt in doubts(told)]


@pytest.mark.parametrize("told", [AMERICAN, GERMAN, MALAYSIAN], ids=lambda told: told["country"])
def test_good_details_pass(told: dict[str, str]) -> None:
    """Complete addresses, phone numbers in use and e-mail addresses, also of example domains, raise no doubt."""
    assert doubts(told) == ()


@pytest.mark.parametrize(
    ("told", "change", "field"),
    [
        (AMERICAN, {"postal_code": "90210"}, "postal_code"),
        (AMERICAN, {"postal_code": ""}, "postal_code"),
        (AMERICAN, {"region": "Ontario"}, "region"),
        (AMERICAN, {"region": ""}, "region"),
        (AMERICAN, {"phone": "+1 212 736 310"}, "phone"),
        (AMERICAN, {"phone": "(171) 555-2222"}, "phone"),
        (AMERICAN, {"phone": "ask him"}, "phone"),
        (AMERICAN, {"phone": ""}, "phone"),
        (AMERICAN, {"email": "mia.tanaka"}, "email"),
        (AMERICAN, {"email": "mia tanaka@example.com"}, "email"),
        (AMERICAN, {"email": "mia@host.invalid"}, "email"),
        (AMERICAN, {"email": ""}, "email"),
        (AMERICAN, {"name": "  "}, "name"),
        (AMERICAN, {"street": " "}, "street"),
        (GERMAN, {"postal_code": "1011"}, "postal_code"),
        (GERMAN, {"city": ""}, "city"),
        (MALAYSIAN, {"region": "Bavaria"}, "region"),
        (MALAYSIAN, {"postal_code": "5O450"}, "postal_code"),
    ],
)
def test_each_doubt_names_its_field(told: dict[str, str], change: dict[str, str], field: str) -> None:
    """One thing wrong raises doubt about exactly that field."""
    assert fields(**{**told, **change}) == [field]


def test_every_doubt_is_told_at_once() -> None:
    """Nobody calls the customer twice."""
    assert fields(**{**AMERICAN, "email": "x", "phone": "y", "postal_code": "z"}) == ["email", "phone", "postal_code"]


def test_a_number_from_abroad_is_fine() -> None:
    """A customer may have a phone of another country when it carries the country's code."""
    assert fields(**{**GERMAN, "phone": "+1 212 736 3100"}) == []


def test_a_doubt_is_a_sentence_for_people() -> None:
    """It says what is wrong with which value, and where."""
    assert doubts({**GERMAN, "postal_code": "1011"}) == (
        Doubt("postal_code", "Postal code “1011” does not exist in Germany, or does not fit the rest of the address."),
    )


# --- the operations --------------------------------------------------------------------------------------------------


@pytest.fixture
def doubted(session: Session, clock: Clock) -> Session:
    """An order with a doubtful phone number."""
    stock_up(session, clock)
    take_order(session, clock, phone="26.47.15.10")
    return session


def correct(session: Session, clock: Clock, **form: Any) -> dict[str, Any]:
    now = customers.details(load_order(session, FIRST))
    return dict(customers.correct(call(session, clock), {**now, **form}))


def refused_fields(session: Session, clock: Clock, **form: Any) -> list[str]:
    with pytest.raises(Problem) as problem:
        correct(session, clock, **form)
    return [error.field for error in problem.value.errors]


def test_doubtful_details_are_refused(doubted: Session, clock: Clock) -> None:
    """Step 2 refuses with the doubts in words, and the form shows them by field."""
    with pytest.raises(Refused) as refused:
        customers.verify(call(doubted, clock))
    assert refused.value.code == "details_doubted"
    assert "26.47.15.10" in refused.value.message
    context = customers.correct_form(call(doubted, clock))
    assert [fact.label for fact in context.facts] == ["Phone"]
    assert context.data["phone"] == "26.47.15.10"


def test_a_correction_is_verified_again(doubted: Session, clock: Clock) -> None:
    """Corrected details pass when they are good, and are doubted again when they are not."""
    correct(doubted, clock, phone="12")
    with pytest.raises(Refused):
        customers.verify(call(doubted, clock))
    variable = correct(doubted, clock, phone="+1 212 736 3100", name="Mia T. Tanaka")
    assert variable["customer_name"] == "Mia T. Tanaka"
    assert customers.verify(call(doubted, clock)) == {"ok": True, "confirmed": False}


def test_a_confirmation_needs_a_reason(doubted: Session, clock: Clock) -> None:
    """Whoever says that doubtful details are right says why; nothing is kept otherwise."""
    assert refused_fields(doubted, clock, confirm_as_is=True) == ["/reason"]
    assert refused_fields(doubted, clock, confirm_as_is=True, reason="  ") == ["/reason"]
    with pytest.raises(Refused):
        customers.verify(call(doubted, clock))


def test_a_confirmation_lets_doubtful_details_pass(doubted: Session, clock: Clock) -> None:
    """Confirmed as they are, the details pass; once they change, they are verified like any others."""
    correct(doubted, clock, confirm_as_is=True, reason="Called back.")
    assert customers.verify(call(doubted, clock)) == {"ok": True, "confirmed": True}
    correct(doubted, clock)
    assert load_order(doubted, FIRST).details_confirmed == "Called back.", "nothing was changed"
    correct(doubted, clock, phone="27")
    with pytest.raises(Refused):
        customers.verify(call(doubted, clock))


def test_correcting_and_confirming_at_once_is_refused(doubted: Session, clock: Clock) -> None:
    """A confirmation is about what is stored, so nothing else may be changed with it."""
    form = {"confirm_as_is": True, "reason": "Called back.", "city": "Boston"}
    assert refused_fields(doubted, clock, **form) == ["/city"]


def test_a_cleared_field_is_cleared(doubted: Session, clock: Clock) -> None:
    """The form stands for all details: what it does not carry any more is gone."""
    form = {name: value for name, value in GERMAN.items() if name != "region"}
    customers.correct(call(doubted, clock), form)
    assert load_order(doubted, FIRST).region == ""
    assert customers.verify(call(doubted, clock))["ok"] is True


def test_a_country_must_exist(doubted: Session, clock: Clock) -> None:
    """As at the door: an unknown country is told on the form."""
    assert refused_fields(doubted, clock, country="XX") == ["/country"]


def test_the_example_can_be_submitted(doubted: Session, clock: Clock) -> None:
    """The sample for this task confirms what is stored, and passes."""
    customers.correct(call(doubted, clock), customers.correct_form(call(doubted, clock)).example)
    assert customers.verify(call(doubted, clock))["ok"] is True
