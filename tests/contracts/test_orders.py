"""What step 1 takes and refuses, and where order numbers come from, on both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.store.database import Database
from handlers import orders
from handlers.contract import Clock, Problem
from handlers.shipping import propose_parcels
from handlers.tables import Order
from tests.shopfloor import call, order_form, product, stock_up, take_order


def refused_fields(session: Session, clock: Clock, **changes: Any) -> list[str]:
    with pytest.raises(Problem) as problem:
        orders.receive(call(session, clock), order_form(**changes))
    assert session.scalar(select(func.count()).select_from(Order)) == 0
    return [error.field for error in problem.value.errors]


def test_an_order_is_taken_with_todays_price(session: Session, clock: Clock) -> None:
    """An order keeps the price it was taken at; the variable tells the goods' net value in minor units."""
    stock_up(session, clock)

    variable = orders.receive(call(session, clock), order_form(items=[{"sku": "product-a", "quantity": 3}]))

    assert variable == {
        "number": "WB-10001",
        "total": 3 * 2_490,
        "currency": "USD",
        "weight_g": 3 * 450,
        "stock_region": "north_america",
        "payment_method": "credit_card",
        "shipping_method": "standard",
        "follow_up": "request_feedback",
        "customer_name": "Mia Tanaka",
    }
    stock_up(session, clock, product(unit_price=9_999))
    session.expire_all()
    assert orders.order_variable(orders.load_order(session, "WB-10001"))["total"] == 3 * 2_490


@pytest.mark.parametrize(
    ("country", "region"), [("US", "north_america"), ("BR", "north_america"), ("DE", "europe"), ("MY", "malaysia")]
)
def test_the_country_decides_which_region_serves(session: Session, clock: Clock, country: str, region: str) -> None:
    """An order that names no region is served by the one nearest to its country."""
    stock_up(session, clock)
    assert take_order(session, clock, country=country).stock_region == region


def test_a_named_region_and_follow_up_are_kept(session: Session, clock: Clock) -> None:
    """What the customer chose goes before every default."""
    stock_up(session, clock)
    order = take_order(session, clock, stock_region="malaysia", follow_up="offer_discount")
    assert (order.stock_region, order.follow_up) == ("malaysia", "offer_discount")


def test_lines_of_one_product_become_one(session: Session, clock: Clock) -> None:
    """A product that is named twice is ordered once, with the sum."""
    stock_up(session, clock)
    items = [{"sku": s, "quantity": q} for s, q in (("product-b", 1), ("product-a", 2), ("product-b", 4))]
    order = take_order(session, clock, items=items)
    assert [(line.sku, line.quantity) for line in order.lines] == [("product-b", 5), ("product-a", 2)]


def test_each_wrong_field_is_named(session: Session, clock: Clock) -> None:
    """A country that does not exist and a product nobody sells are told by their fields, all at once."""
    stock_up(session, clock)
    items = [{"sku": "product-a", "quantity": 1}, {"sku": "product-z", "quantity": 1}]
    assert refused_fields(session, clock, country="Atlantis", items=items) == ["/country", "/items/1/sku"]


@pytest.mark.parametrize("quantity", [0, -1, 10_001, 1_000_000])
def test_quantities_have_bounds(session: Session, clock: Clock, quantity: int) -> None:
    """Nobody orders nothing, and nobody orders a million."""
    stock_up(session, clock)
    items = [{"sku": "product-a", "quantity": quantity}]
    assert refused_fields(session, clock, items=items) == ["/items/0/quantity"]


def test_quantities_are_bounded_in_sum(session: Session, clock: Clock) -> None:
    """Splitting an order into lines does not lift the bound."""
    stock_up(session, clock)
    items = [{"sku": "product-a", "quantity": 6_000}, {"sku": "product-a", "quantity": 6_000}]
    assert refused_fields(session, clock, items=items) == ["/items/1/quantity"]


def test_an_order_has_one_currency(session: Session, clock: Clock) -> None:
    """Products priced in different currencies cannot stand on one invoice."""
    stock_up(session, clock, product("product-a"), product("product-e", currency="EUR"))
    items = [{"sku": "product-a", "quantity": 1}, {"sku": "product-e", "quantity": 1}]
    assert refused_fields(session, clock, items=items) == ["/items/1/sku"]


def test_doubtful_details_are_taken(session: Session, clock: Clock) -> None:
    """Whether a phone number is right is asked in step 2, not at the door."""
    stock_up(session, clock)
    assert take_order(session, clock, phone="26.47.15.10", postal_code="", region="").phone == "26.47.15.10"


def test_where_an_order_came_from_is_kept(session: Session, clock: Clock) -> None:
    """Source and own reference come from whoever starts the process; a reference is taken once."""
    stock_up(session, clock)
    came = {"intake": {"source": "file", "order_ref": "NW-10248"}}
    orders.receive(call(session, clock, variables=came), order_form())

    order = orders.load_order(session, "WB-10001")
    assert (order.source, order.order_ref, order.placed_by) == ("file", "NW-10248", "sales")
    assert orders.order_of_reference(session, "NW-10248") == "WB-10001"
    with pytest.raises(Problem) as problem:
        orders.receive(call(session, clock, "WB-10002", variables=came), order_form())
    assert [error.field for error in problem.value.errors] == ["/order_ref"]


def test_a_tracking_address_cannot_be_guessed(session: Session, clock: Clock) -> None:
    """Knowing one customer's page tells nothing about another's."""
    stock_up(session, clock)
    tokens = {take_order(session, clock, f"WB-{n}").track_token for n in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 32 for token in tokens)


def test_a_dear_order_fits(session: Session, clock: Clock) -> None:
    """Ten thousand of something dear is more than 32 bits of cents."""
    stock_up(session, clock, product(unit_price=10_000_000_00, weight_g=100))
    order = take_order(session, clock, items=[{"sku": "product-a", "quantity": 10_000}])
    session.expire_all()
    assert orders.order_variable(order)["total"] == 10_000_000_00 * 10_000


def test_an_order_that_is_too_heavy_to_pack_is_not_taken(session: Session, clock: Clock) -> None:
    """What 1,400 kg fill, in pieces of any weight, fits the form of step 10; more is several orders."""
    stock_up(session, clock, product(weight_g=20_000))
    with pytest.raises(Problem) as problem:
        orders.receive(call(session, clock), order_form(items=[{"sku": "product-a", "quantity": 71}]))
    message = "These goods weigh 1,420 kg. One order takes 1,400 kg at most: make several."
    assert [(error.field, error.message) for error in problem.value.errors] == [("/items", message)]

    order = take_order(session, clock, items=[{"sku": "product-a", "quantity": 70}])
    parcels, contents = propose_parcels({"product-a": 70}, {"product-a": order.lines[0].product.weight_g})
    assert len(parcels) == len(contents) == 70


def test_the_example_can_be_submitted(session: Session, clock: Clock) -> None:
    """The sample that the API shows for step 1 is an order that can be taken."""
    stock_up(session, clock)
    context = orders.receive_form(call(session, clock))
    assert [choice.label for choice in context.choices["items.sku"]] == ["Product A", "Product B"]
    assert orders.receive(call(session, clock), context.example)["number"] == "WB-10001"


def test_reading_an_order_takes_one_statement(session: Session, clock: Clock) -> None:
    """Order, lines and products come together: commands have few statements to spend."""
    from sqlalchemy import event

    stock_up(session, clock)
    take_order(session, clock)
    session.expunge_all()
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))

    orders.order_variable(orders.load_order(session, "WB-10001"))

    assert len(statements) == 1, statements


# --- numbers and keys ------------------------------------------------------------------------------------------------


def test_numbers_follow_each_other(session: Session) -> None:
    """Order numbers start at WB-10001 and have no gaps while nothing is undone."""
    assert [orders.next_order_number(session) for _ in range(3)] == ["WB-10001", "WB-10002", "WB-10003"]


def test_a_number_that_was_undone_is_given_out_again(database: Database) -> None:
    """An order that was not stored has used no number."""
    with Session(database.engine) as session:
        orders.next_order_number(session)
        session.rollback()
    with database.write() as session:
        assert orders.next_order_number(session) == "WB-10001"


def test_many_at_once_get_different_numbers(database: Database) -> None:
    """Eight intakes at the same moment, also of the very first order, get eight numbers."""
    drawn: list[str] = []
    together = threading.Barrier(8)

    def draw() -> None:
        together.wait()
        for _ in range(5):
            with database.write() as session:
                drawn.append(orders.next_order_number(session))

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(drawn) == [f"WB-{n}" for n in range(10_001, 10_041)]


def test_the_same_key_and_body_is_the_same_order(session: Session, clock: Clock) -> None:
    """A client that is not sure may ask again; the order of the fields does not matter."""
    first = orders.place(session, "shop", "k-1", {"a": 1, "b": [1, 2]}, clock.now())
    again = orders.place(session, "shop", "k-1", {"b": [1, 2], "a": 1}, clock.now())
    other_user = orders.place(session, "shop-2", "k-1", {"a": 1, "b": [1, 2]}, clock.now())
    without = orders.place(session, "shop", None, {"a": 1, "b": [1, 2]}, clock.now())

    assert first == ("WB-10001", True)
    assert again == ("WB-10001", False)
    assert (other_user[1], without[1]) == (True, True)
    assert len({first[0], other_user[0], without[0]}) == 3


def test_a_key_with_another_body_is_a_conflict(session: Session, clock: Clock) -> None:
    """A key names one request for ever."""
    orders.place(session, "shop", "k-1", {"a": 1}, clock.now())
    with pytest.raises(orders.KeyReused, match="WB-10001"):
        orders.place(session, "shop", "k-1", {"a": 2}, clock.now())


def test_one_key_at_once_is_one_order(database: Database, clock: Clock) -> None:
    """Eight requests with one key at the same moment: one order, and everybody is told its number."""
    answers: list[tuple[str, bool]] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        with database.write() as session:
            answers.append(orders.place(session, "shop", "k-1", {"a": 1}, clock.now()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 8
    assert len({number for number, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
