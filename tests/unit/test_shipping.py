"""Steps 9 to 11: preparing, packing and labelling an order."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import barcodes, papers, shipping
from handlers.contract import FormContext, Problem, Refused
from handlers.tables import Document, Invoice, Order, Parcel, Reservation
from tests.shippingfloor import FIRST, PARCEL, Floor
from tests.shopfloor import product

TWO_PRODUCTS = [{"sku": "product-a", "quantity": 2}, {"sku": "product-b", "quantity": 1}]


@pytest.fixture
def floor(session: Session, clock: Any, tmp_path: Path) -> Floor:
    return Floor(session, clock, tmp_path)


def fields(problem: pytest.ExceptionInfo[Problem]) -> list[str]:
    return [error.field for error in problem.value.errors]


def assert_fits(context: FormContext, form: str) -> None:
    """The example is one that the form's schema takes."""
    schema = json.loads((Path(__file__).resolve().parents[2] / "forms" / f"{form}.json").read_text())
    Draft202012Validator(schema).validate(dict(context.example))


# --- step 9 ----------------------------------------------------------------------------------------------------------


def test_a_prepared_order_is_picked_and_its_packing_slip_queued(floor: Floor) -> None:
    """The goods are off the shelf; a job renders the slip."""
    floor.takes(items=TWO_PRODUCTS)

    variable = floor.prepares()

    assert variable["number"] == FIRST
    assert floor.session.scalar(select(Reservation.state)) == "picked"
    assert floor.queued == [("document.render", {"name": "packing-slip", "number": FIRST})]


def test_lines_of_one_product_add_up(floor: Floor) -> None:
    """A product may be taken from two places."""
    floor.takes()
    lines = [{"sku": "product-a", "quantity": 1, "location": place} for place in ("aisle 1", "aisle 2")]

    assert floor.prepares(lines=lines)["number"] == FIRST


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ["/lines", "/lines"]),
        ([{"sku": "product-a", "quantity": 2}], ["/lines"]),
        ([{"sku": "product-a", "quantity": 3}, {"sku": "product-b", "quantity": 1}], ["/lines/0/quantity"]),
        ([{"sku": "product-b", "quantity": 1}, {"sku": "product-a", "quantity": 1}], ["/lines/1/quantity"]),
        ([*TWO_PRODUCTS, {"sku": "product-a", "quantity": 1}], ["/lines/2/quantity"]),
        ([*TWO_PRODUCTS, {"sku": "product-z", "quantity": 1}], ["/lines/2/sku"]),
        ([*TWO_PRODUCTS, {"sku": "product-a", "quantity": 0}], ["/lines/2/quantity"]),
    ],
)
def test_lines_that_do_not_match_the_order_are_named(
    floor: Floor, lines: list[dict[str, Any]], expected: list[str]
) -> None:
    """Nothing is picked unless exactly the order is."""
    floor.takes(items=TWO_PRODUCTS)

    with pytest.raises(Problem) as problem:
        floor.prepares(lines=lines)

    assert fields(problem) == expected
    assert floor.session.scalar(select(Reservation.state)) == "held"
    assert floor.queued == []


def test_the_address_may_be_corrected(floor: Floor) -> None:
    """What a person vouched for as it was has to be vouched for again."""
    floor.takes()
    floor.order.details_confirmed = "known customer"

    floor.prepares(street=" 12  Elm\tStreet ", city="Albany", region="", postal_code="12207",
                   country="us")

    order = floor.order
    assert (order.street, order.city, order.region, order.country) == ("12 Elm Street", "Albany", "NY", "US")
    assert order.details_confirmed is None


def test_the_same_address_changes_nothing(floor: Floor) -> None:
    """The form comes filled in; sending it back is no correction."""
    floor.takes()
    order = floor.order
    order.details_confirmed = "known customer"

    floor.prepares(street=order.street, city=order.city, country=order.country)

    assert floor.order.details_confirmed == "known customer"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"country": "QQ"}, "/country"), ({"street": "🏠 12"}, "/street"), ({"city": "\ue000"}, "/city")],
)
def test_an_address_that_no_label_can_carry_goes_back(floor: Floor, change: dict[str, str], field: str) -> None:
    """Better now than at the printer."""
    floor.takes()

    with pytest.raises(Problem) as problem:
        floor.prepares(**change)

    assert fields(problem) == [field]
    assert floor.order.city == "New York"


def test_a_street_is_needed(floor: Floor) -> None:
    """An order file may leave it out; a label cannot."""
    floor.takes(street="")

    with pytest.raises(Problem) as problem:
        floor.prepares()

    assert fields(problem) == ["/street"]


def test_the_country_stays_once_the_invoice_has_its_tax(floor: Floor) -> None:
    """Another country is another tax, hence another invoice."""
    floor.takes()
    floor.session.add(
        Invoice(
            number="I-1", kind="invoice", order_number=FIRST, currency="USD", net=1, discount=0, tax=0, tax_rate_bp=0,
            tax_name="", total=1, issued_at=floor.clock.now(),
        )
    )  # fmt: skip
    floor.session.flush()

    with pytest.raises(Problem) as problem:
        floor.prepares(country="CA")
    assert fields(problem) == ["/country"]
    assert floor.prepares(country="US")["number"] == FIRST


def test_the_pick_list_names_the_places_and_can_be_sent_as_it_is(floor: Floor) -> None:
    """Where what is reserved lies."""
    floor.takes(items=TWO_PRODUCTS)

    context = shipping.prepare_form(floor.call())

    assert [(line["sku"], line["quantity"]) for line in context.data["lines"]] == [("product-a", 2), ("product-b", 1)]
    assert all(line["location"] for line in context.data["lines"])
    assert [choice.value for choice in context.choices["lines.sku"]] == ["product-a", "product-b"]
    assert_fits(context, "prepare_shipment")
    shipping.prepare(floor.call("prepare_shipment"), context.example)


# --- step 10 ---------------------------------------------------------------------------------------------------------


def test_packed_parcels_are_kept_with_their_contents(floor: Floor) -> None:
    """And the order weighs what its parcels weigh."""
    floor.takes(items=TWO_PRODUCTS)
    floor.prepares()

    variable = floor.packs(
        parcels=[PARCEL, {**PARCEL, "weight_g": 1_000, "fragile": True}],
        contents=[
            {"sku": "product-a", "parcel": 1, "quantity": 1},
            {"sku": "product-a", "parcel": 2, "quantity": 1},
            {"sku": "product-b", "parcel": 2, "quantity": 1},
        ],
    )

    assert variable["weight_g"] == 2_200
    first, second = papers.newest_parcels(floor.session, FIRST)
    assert (first.round, first.position, first.fragile, first.weight_g) == (1, 1, False, 1_200)
    assert second.fragile
    assert [(line.sku, line.quantity) for line in second.lines] == [("product-a", 1), ("product-b", 1)]


def test_packing_again_is_another_round(floor: Floor) -> None:
    """What was packed before stays on record."""
    floor.takes()
    floor.prepares()
    floor.packs()
    floor.packs()

    assert sorted(floor.session.scalars(select(Parcel.round))) == [1, 2]
    assert {parcel.round for parcel in papers.newest_parcels(floor.session, FIRST)} == {2}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"contents": []}, ["/parcels/0", "/contents"]),
        ({"parcels": []}, ["/parcels", "/contents/0/parcel"]),
        ({"contents": [{"sku": "product-a", "parcel": 1, "quantity": 1}]}, ["/contents/0/quantity"]),
        ({"contents": [{"sku": "product-a", "parcel": 1, "quantity": 3}]}, ["/contents/0/quantity"]),
        ({"contents": [{"sku": "product-a", "parcel": 2, "quantity": 2}]}, ["/parcels/0", "/contents/0/parcel"]),
        ({"parcels": [PARCEL, PARCEL]}, ["/parcels/1"]),
        ({"parcels": [{**PARCEL, "weight_g": 30_001}]}, ["/parcels/0/weight_g"]),
        ({"parcels": [{**PARCEL, "weight_g": 0}]}, ["/parcels/0/weight_g"]),
        ({"parcels": [{**PARCEL, "height_cm": 0}]}, ["/parcels/0/height_cm"]),
        (
            {"contents": [{"sku": "product-a", "parcel": 1, "quantity": 2}, {"sku": "x", "parcel": 1, "quantity": 1}]},
            ["/contents/1/sku"],
        ),
    ],
)
def test_what_was_packed_wrongly_is_named(floor: Floor, change: dict[str, Any], expected: list[str]) -> None:
    """Contents match the order exactly, no parcel is empty or heavier than a person lifts."""
    floor.takes()
    floor.prepares()

    with pytest.raises(Problem) as problem:
        floor.packs(**change)

    assert fields(problem) == expected
    assert papers.newest_parcels(floor.session, FIRST) == []


@pytest.mark.parametrize(("weight", "refused"), [(1, True), (899, True), (900, False)])
def test_no_parcel_is_lighter_than_what_lies_in_it(floor: Floor, *, weight: int, refused: bool) -> None:
    """Two pieces of 450 g; what the box weighs is nobody's rule."""
    floor.takes()
    floor.prepares()

    if not refused:
        assert floor.packs(parcels=[{**PARCEL, "weight_g": weight}])["weight_g"] == weight
        return
    with pytest.raises(Problem) as problem:
        floor.packs(parcels=[{**PARCEL, "weight_g": weight}])
    assert fields(problem) == ["/parcels/0/weight_g"]
    assert "give at least 900 g" in problem.value.errors[0].message


def test_goods_above_the_heaviest_parcel_are_spread(floor: Floor) -> None:
    """But for a single piece that is heavier by itself, which goes as the heaviest parcel there is."""
    floor.takes(product("product-a", weight_g=31_000), items=[{"sku": "product-a", "quantity": 2}])
    floor.prepares()

    with pytest.raises(Problem, match="Spread them over more parcels"):
        floor.packs(parcels=[{**PARCEL, "weight_g": 30_000}])
    each = {**PARCEL, "weight_g": 30_000}
    one = {"sku": "product-a", "quantity": 1}
    assert floor.packs(parcels=[each, each], contents=[{**one, "parcel": 1}, {**one, "parcel": 2}])


def test_the_heaviest_parcel_is_allowed(floor: Floor) -> None:
    """30 kg are within the limit of 30 kg."""
    floor.takes()
    floor.prepares()

    assert floor.packs(parcels=[{**PARCEL, "weight_g": 30_000}])["weight_g"] == 30_000


def test_the_packing_form_proposes_what_can_be_sent_as_it_is(floor: Floor) -> None:
    """A small order fits into parcel 1."""
    floor.takes(items=TWO_PRODUCTS)
    floor.prepares()

    context = shipping.pack_form(floor.call())

    assert {row["parcel"] for row in context.data["contents"]} == {1}
    assert_fits(context, "package_products")
    shipping.pack(floor.call("package_products"), context.example)


def test_a_heavy_order_is_proposed_in_several_parcels(floor: Floor) -> None:
    """As many as its weight needs, each within the limit."""
    heavy = product("product-a", weight_g=12_000, fragile=True)
    floor.takes(heavy, items=[{"sku": "product-a", "quantity": 7}])
    floor.prepares()

    context = shipping.pack_form(floor.call())
    shipping.pack(floor.call("package_products"), context.example)

    parcels = papers.newest_parcels(floor.session, FIRST)
    assert [sum(line.quantity for line in parcel.lines) for parcel in parcels] == [2, 2, 2, 1]
    assert all(parcel.fragile and parcel.weight_g <= shipping.MAX_PARCEL_G for parcel in parcels)


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 300), st.integers(1, 40_000)), min_size=1))
def test_every_proposal_can_be_packed(goods: dict[str, tuple[int, int]]) -> None:
    """Whatever is ordered: everything is in, no parcel is empty or too heavy."""
    needs = {sku: quantity for sku, (quantity, _) in goods.items()}

    parcels, contents = shipping.propose_parcels(needs, {sku: weight for sku, (_, weight) in goods.items()})

    packed: Counter[str] = Counter()
    for row in contents:
        packed[row["sku"]] += row["quantity"]
    assert packed == Counter(needs)
    assert {row["parcel"] for row in contents} == set(range(1, len(parcels) + 1))
    assert all(parcel["weight_g"] <= shipping.MAX_PARCEL_G for parcel in parcels)


# --- step 11 ---------------------------------------------------------------------------------------------------------


def test_each_parcel_gets_its_number_and_its_labels(floor: Floor) -> None:
    """A PDF to print and ZPL for the label printer, both kept under their hash."""
    floor.takes(items=TWO_PRODUCTS)
    floor.prepares()
    floor.packs(
        parcels=[PARCEL, PARCEL],
        contents=[{"sku": "product-a", "parcel": 1, "quantity": 2}, {"sku": "product-b", "parcel": 2, "quantity": 1}],
    )

    variable = floor.labels(attempts=2)

    numbers = [parcel.sscc for parcel in papers.newest_parcels(floor.session, FIRST)]
    assert variable == {"sscc": numbers}
    assert len(set(numbers)) == 2
    assert all(barcodes.is_sscc(number or "") for number in numbers)
    documents = {row.name: row for row in floor.session.scalars(select(Document))}
    assert set(documents) == {"label.pdf", "label.zpl"}
    assert floor.ports.files.get(documents["label.pdf"].sha256).startswith(b"%PDF")
    printed = floor.ports.files.get(documents["label.zpl"].sha256).decode()
    assert all(f">;>800{number}" in printed for number in numbers)
    assert printed.count("^XA") == 2
    assert documents["label.zpl"].size == len(printed.encode())


def test_a_parcel_keeps_its_number(floor: Floor) -> None:
    """A label that is made again is the same label."""
    floor.is_packed()
    first = floor.variables["label"]

    assert floor.labels() == first


def test_what_a_customer_typed_is_no_printer_command(floor: Floor) -> None:
    """A name with the printer's own signs is printed, not obeyed."""
    floor.is_packed(name="^XZ~JR_Mia\\&")

    document = floor.session.scalars(select(Document).where(Document.name == "label.zpl")).one()
    printed = floor.ports.files.get(document.sha256).decode()

    assert "_5EXZ_7EJR_5FMia_5C&" in printed
    assert printed.count("^XZ") == 1
    assert "~" not in printed


def test_a_label_that_cannot_be_printed_is_refused(floor: Floor) -> None:
    """The order goes back to step 9, where the address is corrected."""
    floor.is_packed()
    floor.order.street = "\U0001f3e0"

    with pytest.raises(Refused) as refusal:
        floor.labels()
    assert refusal.value.code == "label_refused"
    assert "street" in refusal.value.message


def test_nothing_packed_is_nothing_to_label(floor: Floor) -> None:
    """It is said, not crashed."""
    floor.takes()

    with pytest.raises(Refused, match="Pack it first"):
        floor.labels()


def test_the_label_follows_the_correction(floor: Floor) -> None:
    """What was corrected in step 9 is what the courier reads."""
    order: Order = floor.takes()
    floor.prepares(street="12 Elm Street")
    floor.packs()
    floor.labels()

    document = floor.session.scalars(select(Document).where(Document.name == "label.zpl")).one()
    assert "12 Elm Street" in floor.ports.files.get(document.sha256).decode()
    assert order.street == "12 Elm Street"
