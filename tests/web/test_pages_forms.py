"""Forms from JSON Schema, submissions and times in words: rules that need no server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.contract import FieldError
from web import forms
from web.pages.submissions import changes, describe
from web.text import label, money, weight
from web.times import Times, duration

SCHEMA = {
    "type": "object",
    "required": ["name", "address"],
    "properties": {
        "name": {"type": "string", "title": "Name", "maxLength": 20},
        "count": {"type": "integer", "title": "Count"},
        "ratio": {"type": "number"},
        "sure": {"type": "boolean"},
        "size": {"oneOf": [{"const": 1, "title": "Small"}, {"const": 2, "title": "Large"}]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "address": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}},
        "rows": {
            "type": "array",
            "title": "Parcels",
            "minItems": 1,
            "maxItems": 3,
            "items": {
                "type": "object",
                "required": ["sku"],
                "properties": {
                    "sku": {"type": "string"},
                    "quantity": {"type": "integer"},
                    "fragile": {"type": "boolean"},
                },
            },
        },
    },
}
NOW = datetime(2026, 11, 23, 13, 25, tzinfo=UTC)  # a Monday


def posted(**fields: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in fields.items()}


def test_an_empty_input_is_an_absent_value() -> None:
    """And an unticked box is no."""
    assert forms.parse(SCHEMA, posted(**{"/name": "  ", "/count": ""})) == {
        "sure": False, "tags": [], "address": {}, "rows": [],
    }  # fmt: skip


def test_numbers_and_choices_get_their_type() -> None:
    """A choice keeps the type of its constant."""
    sent = posted(**{"/count": "42", "/ratio": "1.5", "/size": "2", "/sure": "true", "/tags": "a"})

    found = forms.parse(SCHEMA, sent)

    assert found["count"] == 42
    assert found["ratio"] == 1.5
    assert found["size"] == 2
    assert found["sure"] is True
    assert found["tags"] == ["a"]


@pytest.mark.parametrize("typed", ["many", "1e9", "0x10", "1,5", "∞", "9" * 40])
def test_what_is_no_number_stays_what_was_typed(typed: str) -> None:
    """So that the schema refuses it and the person sees it again."""
    document = forms.parse(SCHEMA, posted(**{"/count": typed}))

    assert document["count"] == typed
    form = forms.build(SCHEMA, {}, document, [FieldError("/count", "Enter a whole number.")])
    field = next(f for f in form.fields if f.pointer == "/count")
    assert field.value == typed
    assert field.errors == ["Enter a whole number."]


def test_an_empty_row_is_no_row() -> None:
    """Rows close up, so that the pointers of errors and inputs agree."""
    sent = posted(**{"/rows/0/sku": "", "/rows/3/sku": "a", "/rows/3/quantity": "2", "/rows/7/quantity": "1"})

    assert forms.parse(SCHEMA, sent)["rows"] == [
        {"sku": "a", "quantity": 2, "fragile": False},
        {"quantity": 1, "fragile": False},
    ]


@pytest.mark.parametrize(
    ("name", "where"),
    [("decision", ("decision",)), ("/decision", ("decision",)), ("/address/secret", ("address", "secret"))],
)
def test_an_unknown_input_comes_under_its_own_name(name: str, where: tuple[str, ...]) -> None:
    """So that the schema, which takes no further properties, refuses it by name."""
    found = forms.parse(SCHEMA, posted(**{name: "approve"}))

    for part in where:
        found = found[part]
    assert found == "approve"  # type: ignore[comparison-overlap]


def test_every_error_is_in_the_summary_once_and_leads_somewhere() -> None:
    """Also one that belongs to no field."""
    errors = [
        FieldError("/name", "This is missing."),
        FieldError("/rows/0/sku", "This is missing."),
        FieldError("/rows", "They do not match."),
        FieldError("/address/city", "This is missing."),
        FieldError("/", "The form is too large."),
        FieldError("/nobody/knows", "This form has no such field."),
    ]

    form = forms.build(SCHEMA, {}, {}, errors)

    assert len(form.mistakes) == len(errors)
    texts = {m.text: m.target for m in form.mistakes}
    assert texts["Name: This is missing."] == "f-name"
    assert texts["Parcel 1, Sku: This is missing."] == "f-rows-0-sku"
    assert texts["The form is too large."] == "form"


def test_rows_are_added_up_to_their_limit_and_removed_down_to_it() -> None:
    """The limits of the schema."""
    document: dict[str, object] = {"rows": []}
    for _ in range(5):
        document = forms.add_row(SCHEMA, document, "/rows")
    assert len(document["rows"]) == 3  # type: ignore[arg-type]

    form = forms.build(SCHEMA, {}, document)
    rows = next(f for f in form.fields if f.kind == "rows")
    assert not rows.can_add
    assert rows.can_remove
    assert len(forms.remove_row(SCHEMA, document, "/rows/1")["rows"]) == 2
    assert forms.remove_row(SCHEMA, document, "/rows/99") == document
    assert forms.add_row(SCHEMA, document, "/name") == document


@given(st.dictionaries(st.text(max_size=30), st.lists(st.text(max_size=20), max_size=3), max_size=10))
def test_no_posted_form_breaks_the_parser(sent: dict[str, list[str]]) -> None:
    """Whatever names and values come."""
    forms.build(SCHEMA, {}, forms.parse(SCHEMA, sent))


FORMS = sorted(path for path in Path(__file__).parents[2].glob("forms/*.json") if not path.name.endswith(".ui.json"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_every_form_of_the_folder_can_be_drawn(path: Path) -> None:
    """Each field has a kind that the macros know, in the order that the form's look asks for."""
    schema = json.loads(path.read_text("utf-8"))
    ui = json.loads(path.with_suffix(".ui.json").read_text("utf-8"))

    form = forms.build(schema, ui, {})

    assert [f.pointer.strip("/") for f in form.fields] == ui.get("ui:order", list(schema["properties"]))
    known = {"text", "textarea", "select", "radio", "check", "checks", "hidden", "group", "rows", "fixed"}
    assert {f.kind for f in form.fields} <= known


def test_a_submission_is_shown_whole() -> None:
    """Every value appears, in words; money in its currency."""
    submission = {
        "order": "WB-1", "reservation": None, "value": {"amount": 12999, "currency": "USD"},
        "lines": [{"sku": "product-a", "name": "Product A", "ordered": 2, "region": "north_america"}],
        "tax": {"name": "VAT", "rate_bp": 1900},
    }  # fmt: skip

    shown = describe(submission)

    assert dict(shown.values)["Order value, before tax"] == "$129.99"
    assert dict(shown.values)["Reservation"] == "none"
    assert dict(shown.values)["Tax: Name"] == "VAT"
    assert dict(shown.values)["Tax: Rate bp"] == "19%"
    (table,) = shown.tables
    assert [c.title for c in table.columns] == ["Product", "SKU", "Ordered", "From"]
    assert table.rows == (("Product A", "product-a", "2", "North America"),)


def test_changes_name_the_line_and_show_was_and_is() -> None:
    """A line that came or went has nothing on the other side."""
    before = {
        "lines": [{"sku": "a", "name": "Product A", "quantity": 48}, {"sku": "b", "name": "Product B", "quantity": 1}]
    }
    after = {"lines": [{"sku": "a", "name": "Product A", "quantity": 24}]}

    found = {c.what: (c.was, c.now) for c in changes(before, after)}

    assert found == {"Product A, Quantity": ("48", "24"), "Product B, Quantity": ("1", "–")}


@pytest.mark.parametrize(
    ("minutes", "text", "group"),
    [
        (-130, "2 h 10 min late", "Late"),
        (-1, "1 min late", "Late"),
        (65, "14:30, in 1 h 5 min", "Today"),
        (185, "16:30", "Today"),
        (20 * 60 - 25, "Tue 09:00", "Tomorrow"),
        (3 * 24 * 60, "Thu 13:25", "Later"),
        (10 * 24 * 60, "3 Dec 13:25", "Later"),
    ],
)
def test_due_times_read_as_people_say_them(minutes: int, text: str, group: str) -> None:
    """Late in words, soon with how long, later with its day."""
    due = Times(NOW).due(NOW + timedelta(minutes=minutes))

    assert due.text == text
    assert due.group == group


def test_money_weight_and_codes_are_written_for_people() -> None:
    """Minor units of any currency."""
    assert money(12999, "USD") == "$129.99"
    assert money(500, "JPY") == "¥500"
    assert money(-5, "EUR") == "-€0.05"
    assert weight(850) == "850 g"
    assert weight(7400) == "7.4 kg"
    assert label("courier_c") == "Courier C"
    assert label("offer_discount") == "Offer Discount for Next Purchase"
    assert duration(timedelta(days=2, hours=3)) == "2 days"
