"""Finding an order: by any number that stands on a paper, a parcel or a bank statement, by customer, by SKU."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from handlers.tables import Invoice, Order, Parcel, Payment, Shipment
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_pages_orders import placed
from tests.web.visitor import visitor
from web import order_search


def known(world: World) -> str:
    """An order with every kind of number."""
    order, at = placed(world), world.clock.now()
    with world.database.write() as session:
        session.get_one(Order, order).order_ref = "shop-8812"
        session.add_all([
            Invoice(
                number="INV-2026-0871", kind="invoice", order_number=order, currency="USD", net=1, discount=0, tax=0,
                tax_rate_bp=0, tax_name="VAT", total=1, issued_at=at,
            ),
            Shipment(
                reference="B-77", order_number=order, round=1, courier="courier_a", tracking_number="TRK99X",
                state="booked", booked_at=at,
            ),
            Parcel(
                order_number=order, round=1, position=1, weight_g=1, length_cm=1, width_cm=1, height_cm=1,
                fragile=False, sscc="095212340000000013",
            ),
            Payment(
                key="p", order_number=order, kind="capture", method="credit_card", amount=1, currency="USD",
                state="done", reference="CAP-00000002", at=at,
            ),
        ])  # fmt: skip
    return order


@pytest.mark.parametrize("typed", [
    "{number}", "{lower}", "{digits}", "shop-8812", "inv-2026-0871", "TRK99X", "trk99x", "B-77", "095212340000000013",
    "(00) 095212340000000013", "CAP-00000002",
])  # fmt: skip
def test_any_number_goes_straight_to_its_order(each_world: World, typed: str) -> None:
    """Order, reference, invoice, tracking, booking, parcel as a scanner reads it, payment."""
    order = known(each_world)
    placed(each_world)
    text = typed.format(number=order, lower=order.lower(), digits=order.removeprefix("WB-"))

    answer = visitor(each_world, "sales").client.get("/orders", query_string={"q": text})

    assert (answer.status_code, answer.headers.get("Location")) == (302, f"/orders/{order}")


def test_a_number_of_several_orders_lists_them(world: World) -> None:
    """A collective payment, say."""
    orders = [known(world), placed(world), placed(world)]
    with world.database.write() as session:
        session.add(Payment(
            key="q", order_number=orders[1], kind="capture", method="credit_card", amount=1, currency="USD",
            state="done", reference="CAP-00000002", at=world.clock.now(),
        ))  # fmt: skip

    page = visitor(world, "finance").goes("/orders?q=CAP-00000002")

    assert set(page.find("//tbody/tr/th/a/text()")) == set(orders[:2])


@pytest.mark.parametrize("few", [0, order_search.FEW], ids=["common", "rare"])
def test_a_part_of_something_lists_what_fits(each_world: World, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beginning of a number, its last digits, an address, words in any order, a SKU; in the list of orders and in
    the inbox, whether few orders are looked up first or many are met on the way."""
    monkeypatch.setattr(order_search, "FEW", few)
    order = known(each_world)
    sales, owner = visitor(each_world, "sales"), visitor(each_world, "owner")

    for typed, finds in (
        ("WB-1000", True), ("wb-1000", True), ("WB-", True), ("WB-1009", False), ("WB-2", False), ("0001", True),
        ("8812", True), ("mia.tanaka@", True), ("york tanaka", True), ("york meier", False), ("PRODUCT-A", True),
        ("product-b", False), ("tan%", False), ("t_naka", False), ("-", False),
    ):  # fmt: skip
        page = sales.goes(f"/orders?state=open&q={quote(typed)}")
        assert page.find("//tbody/tr/th/a/text()") == ([order] if finds else []), typed
        inbox = owner.goes(f"/inbox?q={quote(typed)}")
        assert inbox.find("//*[@data-told='teams']")[0].text == ("1" if finds else "0"), typed
        assert (order in inbox.text) is finds, typed


def test_an_order_is_found_by_what_it_is_called_now(each_world: World) -> None:
    """Not by the name, city or address that it had before."""
    order = known(each_world)
    with each_world.database.write() as session:
        session.get_one(Order, order).customer_name = "Zoë Ørsted-Weiß"
        session.get_one(Order, order).email = "zoe@orsted.example"
    sales = visitor(each_world, "sales")

    def finds(typed: str) -> bool:
        return bool(sales.goes(f"/orders?state=open&q={quote(typed)}").find("//tbody/tr/th/a/text()"))

    assert [finds(typed) for typed in ("tanaka", "zoe", "ZOË", "weiss", "york", "8812")] == [False, *[True] * 5]


def test_a_name_is_found_in_any_case_also_with_accents(each_world: World) -> None:
    """As it is written, and in small letters where the database knows them."""
    who = {"name": "Élodie Çelik", "email": "e@example.com", "phone": "+1 212 736 3100"}
    order = placed(each_world, customer=who)
    placed(each_world)

    page = visitor(each_world, "sales").goes("/orders?q=Élodie ÇELIK".replace("ÇELIK", "Çelik"))

    assert page.find("//tbody/tr/th/a/text()") == [order]


def test_a_search_that_finds_nothing_says_where_it_looked(world: World) -> None:
    """So that nobody looks for a thing that is not looked at."""
    placed(world)

    page = visitor(world, "sales").goes("/orders?q=zebra")

    assert "tracking" in page.text
    assert "customers’ names, cities, e-mail addresses and references" in page.text


def test_what_a_text_is_is_found_in_one_statement(each_world: World) -> None:
    """Whatever it is."""
    known(each_world)

    for typed in ("TRK99X", "product-a", "WB-1", "mia", "a@b"):
        with each_world.database.read() as session, statements(each_world.database) as seen:
            order_search.read(session, typed)
        assert len(seen) == 1, typed


@pytest.mark.parametrize(("number", "after"), [("WB-104", "WB-105"), ("WB-109", "WB-11"), ("WB-99", "WB-a")])
def test_the_beginning_of_a_number_is_a_range(number: str, after: str) -> None:
    """So that the index on numbers serves it."""
    condition = order_search.Search(number, "number").condition()

    bounds = [str(value) for value in condition.compile().params.values()]  # type: ignore[union-attr]
    assert bounds[:2] == [number, after]


def test_a_search_keeps_its_filters_from_page_to_page(world: World) -> None:
    """State, step, team and lateness stay while one looks further."""
    for _ in range(52):
        world.clock.advance(seconds=1)
        placed(world)
    world.clock.advance(days=9)
    address = "/orders?state=open&step=5&team=stock-approvers&late=1&q=tanaka"
    who = visitor(world, "owner")

    first = who.goes(address)
    second = who.goes(first.link("Older"))

    shown = [page.find("//tbody/tr/th/a/text()") for page in (first, second)]
    assert [len(numbers) for numbers in shown] == [50, 2]
    assert not set(shown[0]) & set(shown[1])
    assert "Late orders with “tanaka” that stand at step 5 and wait for Stock approvers" in second.text
    assert not who.goes(address.replace("team=stock-approvers", "team=sales")).find("//main//tbody/tr")
