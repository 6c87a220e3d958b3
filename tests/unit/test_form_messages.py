"""What a form says to people: pick lists, texts that nobody could read, and sentences without rules of a machine."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from engine import forms
from engine.errors import InvalidForm
from handlers import customers, orders, shipping
from handlers.contract import Choice, Clock, FormContext
from handlers.picklists import countries
from tests.shopfloor import call, stock_up, take_order
from tests.unit.test_forms import FULL, schema_of


def said(schema: dict[str, Any], data: Any) -> dict[str, str]:
    """The message at each field; empty when the form is taken."""
    try:
        forms.check_values(data)
        forms.check(schema, data)
    except InvalidForm as refused:
        return {error.field: error.message for error in refused.errors}
    return {}


def field(value: Any, **rules: Any) -> str:
    """What is said of one value under these rules."""
    return said({"type": "object", "properties": {"it": rules}}, {"it": value}).get("/it", "")


# --- countries -------------------------------------------------------------------------------------------------------


def test_countries_stand_by_name() -> None:
    """All of ISO 3166-1, in the order of a list of names; the value is the code."""
    found = countries()

    assert len(found) == 249
    assert Choice("DE", "Germany") in found
    assert [choice.label for choice in found[:3]] == ["Afghanistan", "Åland Islands", "Albania"]


def test_the_forms_with_an_address_offer_every_country(session: Session, clock: Clock) -> None:
    """Steps 1, 2 and 9 let people pick."""
    stock_up(session, clock)
    take_order(session, clock)
    at = call(session, clock)

    for context in (orders.receive_form(at), customers.correct_form(at), shipping.prepare_form(at)):
        assert context.choices["country"] == countries()


def test_a_country_that_is_none_of_the_list() -> None:
    """Nobody reads 249 names in an error, nor how long the name may be."""
    schema = forms.schema_for(schema_of("receive_order"), FormContext(choices={"country": countries()}))

    assert said(schema, {**FULL["receive_order"], "country": "At" * 60}) == {"/country": "Choose one of the list."}
    assert said(schema, FULL["receive_order"]) == {}


def test_a_pick_list_of_other_things_than_texts_is_checked_too() -> None:
    """The quick way is for texts only."""
    steps = [{"const": 1, "title": "One"}, {"const": 2, "title": "Two"}]

    assert field(2, oneOf=steps) == ""
    assert field("2", oneOf=steps) == field(3, oneOf=steps) == "Choose one of: One, Two."


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["name", "street", "city"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\r\nBcc: x@y.z", "Write this in one line."),
        ("a\u2028b", "Write this in one line."),
        ("a\x1b[31m", "This holds a sign that no text may hold. Type it again."),
        ("a\x85b", "This holds a sign that no text may hold. Type it again."),
        ("\u200b\ufeff", "This holds no sign that can be seen. Type it again."),
        ("\u3164", "This holds no sign that can be seen. Type it again."),
        ("   ", "This is missing."),
        ("Mia\u202eakanaT", "This holds a sign that turns the direction of writing around. Type it again without it."),
    ],
)
def test_a_text_that_nobody_could_read_is_refused(place: str, text: str, message: str) -> None:
    """What would add a line to a mail, an address that looks empty, a name that reads backwards."""
    assert said(schema_of("receive_order"), {**FULL["receive_order"], place: text}) == {f"/{place}": message}


@pytest.mark.parametrize("text", ["Łukasz Żółć", "三木 太郎", "محمد علي", "O’Brien, Jr.", "کتاب\u200cخانه"])
def test_names_of_all_scripts_are_taken(text: str) -> None:
    """Joiners belong to some scripts; only texts of nothing else are refused."""
    assert said(schema_of("receive_order"), {**FULL["receive_order"], "name": text}) == {}


def test_a_longer_text_has_lines() -> None:
    """A note is written as people write notes, in every system's line ends."""
    note = {"outcome": "cancelled", "note": "First:\r\n\tthe van.\nThen the rest."}

    assert said(schema_of("settle_booking"), note) == {}


# --- wording ---------------------------------------------------------------------------------------------------------


def test_a_pattern_is_never_shown() -> None:
    """People read what is expected, not the rule."""
    rule = {"type": "string", "pattern": "^[A-Z]{2}$"}

    assert field("x", **rule) == "This is not in the expected form."
    assert field("x", **rule, description="Two letters.") == "Two letters."


def test_numbers_agree_with_their_nouns() -> None:
    """One character, two characters."""
    assert field("xx", type="string", maxLength=1) == "Enter at most 1 character."
    assert field("xxx", type="string", maxLength=2) == "Enter at most 2 characters."
    assert field("x", type="string", minLength=2) == "Enter at least 2 characters."


def test_boxes_are_ticked_and_rows_are_added() -> None:
    """Step 20 asks to tick what was checked; step 1 asks for a product."""
    assert said(schema_of("prepare_next"), {"checks": []}) == {"/checks": "Tick at least one."}
    assert said(schema_of("receive_order"), {**FULL["receive_order"], "items": []}) == {"/items": "Add at least one."}
    assert field([], type="array", minItems=2, items={"type": "object"}) == "Add at least 2."


def test_one_choice_is_named_and_no_choice_is_said() -> None:
    """“Choose one of: 3.” is no sentence."""
    assert field("x", oneOf=[{"const": "a", "title": "Courier A"}]) == "Choose Courier A."
    assert field("x", oneOf=[]) == "There is nothing to choose from."
