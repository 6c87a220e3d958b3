"""The shipped forms: one for each user task, closed to what they do not name, with the template's pick lists."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from engine.forms import LONG_TEXT
from handlers.couriers.desk import SETTLED
from tests.drawing import BPMN, properties, read

FORMS = Path(__file__).parent.parent.parent / "forms"
NAMES = sorted(path.stem for path in FORMS.glob("*.json") if not path.name.endswith(".ui.json"))
GOODS = [{"sku": "product-a", "quantity": 2}]
ADDRESS = {"street": "12 Quay Street", "city": "Bristol", "region": "Avon", "postal_code": "BS1 4QZ", "country": "GB"}
CONTACT = {"name": "Jo Bloggs", "email": "jo@example.com", "phone": "+44 117 496 0000"}
FULL: dict[str, dict[str, Any]] = {
    "receive_order": {
        **CONTACT, **ADDRESS, "items": GOODS, "payment_method": "credit_card", "payment_token": "tok_ok",
        "shipping_method": "express", "stock_region": "europe", "follow_up": "request_feedback",
    },
    "correct_details": {**CONTACT, **ADDRESS, "confirm_as_is": True, "reason": "Called them."},
    "resolve_shortage": {"choice": "fewer", "stock_region": "malaysia", "items": GOODS, "note": "Agreed."},
    "resolve_payment": {"choice": "other_method", "payment_method": "paypal", "payment_token": "tok", "note": "Yes."},
    "prepare_shipment": {
        "lines": [{"sku": "product-a", "location": "aisle 4", "quantity": 2}], **ADDRESS, "packing_slip_enclosed": True,
    },
    "package_products": {
        "parcels": [{"weight_g": 900, "length_cm": 30, "width_cm": 20, "height_cm": 10, "fragile": True}],
        "contents": [{"sku": "product-a", "parcel": 1, "quantity": 2}],
        "note": "Upright.",
    },
    "choose_courier": {"courier": "courier_b", "reason": "Too heavy for the others."},
    "confirm_pickup": {
        "courier": "courier_a", "collected_at": "2026-03-14T15:30:00Z", "driver": "M. Ray", "note": "Two parcels.",
    },
    "handle_exception": {"choice": "part", "items": GOODS, "reason": "Lost in the depot."},
    "ask_for_proof": {
        "courier": "courier_c", "answer": "delivered", "received_by": "J. Bloggs", "delivered_on": "2026-03-16",
        "note": "By phone.",
    },
    "prepare_next": {
        "checks": ["packing_materials", "printer", "workplace", "scanner"],
        "restock": [{"sku": "product-a", "region": "europe", "quantity": 2}],
        "note": "Tape runs low.",
    },
    "settle_booking": {"outcome": "cancelled", "note": "By phone."},
    "refund_by_hand": {"reference": "TR-1", "note": "By transfer."},
    "put_goods_back": {"lines": [{"sku": "product-a", "location": "aisle 4", "quantity": 2}], "note": "All whole."},
}
"""Every field of every form; the operations are written against these names."""

PAYMENT = (("credit_card", "Credit Card"), ("paypal", "PayPal"), ("bank_transfer", "Bank Transfer"))
SHIPPING = (("standard", "Standard Shipping"), ("express", "Express Shipping"), ("overnight", "Overnight Shipping"))
REGIONS = (("north_america", "North America"), ("europe", "Europe"), ("malaysia", "Malaysia"))
FOLLOW_UP = (
    ("request_feedback", "Request Feedback"),
    ("offer_discount", "Offer Discount for Next Purchase"),
    ("encourage_review", "Encourage Product Review"),
)
COURIERS = tuple((f"courier_{letter.lower()}", f"Courier {letter}") for letter in "ABCDE")
PICK_LISTS = {
    ("receive_order", "payment_method"): PAYMENT,
    ("receive_order", "shipping_method"): SHIPPING,
    ("receive_order", "stock_region"): REGIONS,
    ("receive_order", "follow_up"): FOLLOW_UP,
    ("resolve_shortage", "stock_region"): REGIONS,
    ("resolve_payment", "payment_method"): PAYMENT,
    ("choose_courier", "courier"): COURIERS,
    ("confirm_pickup", "courier"): COURIERS,
    ("ask_for_proof", "courier"): COURIERS,
}


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FORMS / f"{name}.json").read_text("utf-8"))
    return found


def faults(name: str, document: Any) -> list[str]:
    """JSON pointers of what the form refuses."""
    validator = Draft202012Validator(schema_of(name), format_checker=FormatChecker())
    return ["".join(f"/{part}" for part in error.absolute_path) or "/" for error in validator.iter_errors(document)]


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field with its path, columns of lists included."""
    for name, field in schema["properties"].items():
        yield f"{path}{name}", field
        if field["type"] == "array" and field["items"]["type"] == "object":
            yield from fields(field["items"], f"{path}{name}.")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


# --- forms and tasks ------------------------------------------------------------------------------------------------


def test_every_user_task_has_a_form_and_every_form_a_task() -> None:
    """No task of either diagram is without its form, and no form lies about unused."""
    used = {
        found["formJsonSchemaFilename"].removesuffix(".json")
        for key in ("order_fulfillment", "order_cancellation")
        for node in read(key).process.iter(f"{BPMN}userTask")
        if "formJsonSchemaFilename" in (found := properties(node))
    }

    assert used == set(NAMES)
    assert {path.name.removesuffix(".ui.json") for path in FORMS.glob("*.ui.json")} == set(NAMES)


def test_the_fields_bear_the_names_that_operations_read(name: str) -> None:
    """A field that is renamed in a form would be lost to the operation that takes it."""
    assert list(schema_of(name)["properties"]) == list(FULL[name])
    for key, value in FULL[name].items():
        if isinstance(value, list) and isinstance(value[0], dict):
            assert list(schema_of(name)["properties"][key]["items"]["properties"]) == list(value[0])


@pytest.mark.parametrize(("place", "entries"), PICK_LISTS.items(), ids=["-".join(place) for place in PICK_LISTS])
def test_the_template_s_pick_lists_stand_to_the_letter(
    place: tuple[str, str], entries: tuple[tuple[str, str], ...]
) -> None:
    """A pick list has the template's entries, in its order and words, with the codes of the API."""
    form, field = place

    offered = schema_of(form)["properties"][field]["oneOf"]

    assert tuple((entry["const"], entry["title"]) for entry in offered) == entries


def test_products_come_from_the_catalogue(name: str) -> None:
    """No form lists products itself; the operation that prepares it does."""
    for path, field in fields(schema_of(name)):
        if path.split(".")[-1] == "sku":
            assert not {"oneOf", "enum"} & set(field)


# --- what a form takes ----------------------------------------------------------------------------------------------


def test_a_full_document_is_taken(name: str) -> None:
    """All fields together are valid."""
    assert faults(name, FULL[name]) == []


def test_the_required_fields_suffice(name: str) -> None:
    """What is not required may be left out, in lists too."""
    schema = schema_of(name)
    least = {key: copy.deepcopy(value) for key, value in FULL[name].items() if key in schema["required"]}
    for key, value in least.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            needed = schema["properties"][key]["items"]["required"]
            least[key] = [{column: cell for column, cell in row.items() if column in needed} for row in value]

    assert faults(name, least) == []


def test_every_required_field_is_missed(name: str) -> None:
    """A document without a required field, or with an empty one, is refused."""
    schema = schema_of(name)
    assert schema["required"]

    for key in schema["required"]:
        assert faults(name, {k: v for k, v in FULL[name].items() if k != key}), key
        if schema["properties"][key].get("minItems") == 0:
            assert faults(name, {**FULL[name], key: []}) == []  # everything may have been lost
            continue
        empty: Any = [] if schema["properties"][key]["type"] == "array" else ""
        assert set(faults(name, {**FULL[name], key: empty})) == {f"/{key}"}, key


@pytest.mark.parametrize("stranger", ["decision", "send_back_to", "typename", "actor", "__class__"])
def test_a_field_that_the_form_does_not_name_is_refused(name: str, stranger: str) -> None:
    """Neither another form's field nor an approver's decision gets in, at no level."""
    assert faults(name, {**FULL[name], stranger: "approve"}) == ["/"]
    for key, value in FULL[name].items():
        if isinstance(value, list) and isinstance(value[0], dict):
            assert faults(name, {**FULL[name], key: [{**value[0], stranger: 1}]}) == [f"/{key}/0"]


def test_no_text_is_endless(name: str) -> None:
    """A megabyte of text is refused in every text field, and a list of 2,000 rows in every list."""
    for path, field in fields(schema_of(name)):
        key, _, column = path.partition(".")
        much: Any = None
        if field["type"] == "string":
            much = "x" * 1_000_000
        elif field["type"] == "array":
            much = FULL[name][key] * 2_000
        if much is not None:
            document = copy.deepcopy(FULL[name])
            if column:
                document[key][0][column] = much
            else:
                document[key] = much
            assert faults(name, document), path


@pytest.mark.parametrize("quantity", [0, -1, 1_000_000, 1.5, "2", True, None])
def test_an_order_takes_between_one_and_ten_thousand_of_a_product(quantity: Any) -> None:
    """Zero, a fraction or a million units are refused where the order is taken."""
    items = [{"sku": "product-a", "quantity": quantity}]

    assert faults("receive_order", {**FULL["receive_order"], "items": items}) == ["/items/0/quantity"]


@pytest.mark.parametrize("form", ["receive_order", "correct_details", "prepare_shipment"])
def test_a_country_is_picked_from_a_list(form: str) -> None:
    """No form asks people for a code; which countries there are says the operation that prepares the form."""
    ui = json.loads((FORMS / f"{form}.ui.json").read_text("utf-8"))

    assert "pattern" not in schema_of(form)["properties"]["country"]
    assert ui["country"]["ui:widget"] == "select"


def test_a_longer_text_is_one_that_may_have_several_lines(name: str) -> None:
    """A text area takes enough characters to be taken as several lines, every other field too few."""
    ui = json.loads((FORMS / f"{name}.ui.json").read_text("utf-8"))

    for path, field in fields(schema_of(name)):
        if field["type"] == "string":
            key, _, column = path.partition(".")
            look = ui.get(key, {}).get("items", {}).get(column, {}) if column else ui.get(key, {})
            assert (look.get("ui:widget") == "textarea") == (field["maxLength"] >= LONG_TEXT), path


def test_what_was_agreed_about_a_booking_is_what_can_be_recorded() -> None:
    """The form offers every outcome that the operation takes, goods that come back too."""
    offered = [option["const"] for option in schema_of("settle_booking")["properties"]["outcome"]["oneOf"]]

    assert offered == list(SETTLED)


@pytest.mark.parametrize("form", ["receive_order", "resolve_payment"])
def test_a_payment_token_left_empty_means_what_is_on_file(form: str) -> None:
    """The form says what the payment does: no token is no mistake, and no second sentence contradicts."""
    ui = json.loads((FORMS / f"{form}.ui.json").read_text("utf-8"))

    assert "on file" in schema_of(form)["properties"]["payment_token"]["description"]
    assert "payment_token" not in schema_of(form)["required"]
    assert "payment_token" not in ui


# --- how a form is written ------------------------------------------------------------------------------------------


def test_a_form_is_valid_json_schema(name: str) -> None:
    """It follows the 2020-12 meta-schema and says so."""
    schema = schema_of(name)

    Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["title"]
    assert schema["description"]


def test_a_form_keeps_to_the_subset_that_pages_draw(name: str) -> None:
    """Plain fields with a title, choices, and one level of lists; every object closed, every text and list bounded."""
    schema = schema_of(name)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False

    for path, field in fields(schema):
        assert field["title"], path
        if field["type"] == "array":
            assert 0 < field["maxItems"] <= 1_000, path
            assert "." not in path, f"{path} is a list in a list"
            if field["items"]["type"] == "object":
                assert field["items"]["additionalProperties"] is False, path
            else:
                assert field["uniqueItems"] is True, path
        elif field["type"] == "string":
            assert 0 < field["maxLength"] <= 1_000, path
            assert field.get("format") in (None, "date", "email"), path
        elif field["type"] == "integer":
            assert {"minimum", "maximum"} <= set(field), path
        else:
            assert field["type"] == "boolean", path


def test_the_ui_schema_orders_every_field_and_names_no_other(name: str) -> None:
    """What is said of the look of a form fits the form."""
    ui, schema = json.loads((FORMS / f"{name}.ui.json").read_text("utf-8")), schema_of(name)
    lists = {key: field["items"] for key, field in schema["properties"].items() if "items" in ui.get(key, {})}
    levels = [(ui, schema), *((ui[key]["items"], row) for key, row in lists.items())]

    for said, of in levels:
        assert said["ui:order"] == list(of["properties"])
        assert {key for key in said if not key.startswith("ui:")} <= set(of["properties"])
