"""What the stock ledger promises, on both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from engine.store.database import Database
from handlers import inventory, restock, stock
from handlers.contract import Clock, Problem, Refused
from handlers.orders import load_order
from handlers.tables import Order, Reservation, RestockProposal
from tests.shopfloor import FIRST, books_agree, call, level, product, stock_up, take_order

EVERYWHERE = {"north_america": 10, "europe": 10, "malaysia": 10}


@pytest.fixture
def shop(session: Session, clock: Clock) -> Session:
    """Ten of products A and B in every region."""
    stock_up(session, clock)
    return session


def ordered(session: Session, clock: Clock, number: str = FIRST, **quantities: int) -> Order:
    """`ordered(session, clock, a=2, b=1)`"""
    return take_order(session, clock, number, items=lines(**quantities))


def lines(**quantities: int) -> list[dict[str, Any]]:
    """`lines(a=2)`: two of product A, as forms list them."""
    return [{"sku": f"product-{letter}", "quantity": quantity} for letter, quantity in quantities.items()]


def reserve(session: Session, clock: Clock, number: str = FIRST, region: str = "north_america") -> dict[str, Any]:
    """As the engine does it: in a savepoint that a refusal rolls back."""
    with session.begin_nested():
        return dict(inventory.reserve(call(session, clock, number), region))


def released(session: Session, clock: Clock, number: str = "WB-10001") -> tuple[object, ...]:
    """Whether anything is held now, what was picked already, and of which reservation."""
    found = inventory.release(call(session, clock, number))
    return found["held"], found["picked"], found.get("reference")


# --- check and reserve -----------------------------------------------------------------------------------------------


def test_what_is_there_passes(shop: Session, clock: Clock) -> None:
    """Step 3 passes when the region has every product, and reserves nothing."""
    ordered(shop, clock, a=10, b=1)
    assert inventory.check(call(shop, clock), "north_america")["ok"] is True
    assert level(shop) == (10, 0)


def test_a_shortage_says_what_is_missing(shop: Session, clock: Clock) -> None:
    """Step 3 refuses and tells product, wish and stock in words."""
    ordered(shop, clock, a=11, b=1)
    with pytest.raises(Refused) as refused:
        inventory.check(call(shop, clock), "north_america")
    assert refused.value.code == "stock_short"
    assert refused.value.message == "Product A: 11 wanted, 10 available in North America."


def test_what_others_hold_is_not_available(shop: Session, clock: Clock) -> None:
    """Reserved goods are there and not for sale; what the order holds itself counts for it."""
    ordered(shop, clock, "WB-1", a=8)
    ordered(shop, clock, "WB-2", a=3)
    reserve(shop, clock, "WB-1")
    with pytest.raises(Refused, match="2 available"):
        inventory.check(call(shop, clock, "WB-2"), "north_america")
    assert inventory.check(call(shop, clock, "WB-1"), "north_america")["ok"] is True


def test_reserving_sets_aside(shop: Session, clock: Clock) -> None:
    """Step 4 sets every line aside under one reference and moves nothing."""
    ordered(shop, clock, a=4, b=10)
    held = reserve(shop, clock)
    assert (held["held"], held["picked"], held["reference"]) == (True, 0, "R-WB-10001-1")
    assert (level(shop, "product-a"), level(shop, "product-b")) == ((10, 4), (10, 10))
    assert books_agree(shop)


def test_all_lines_or_none(shop: Session, clock: Clock) -> None:
    """A reservation that cannot be had whole takes nothing."""
    ordered(shop, clock, a=4, b=11)
    with pytest.raises(Refused) as refused:
        reserve(shop, clock)
    assert refused.value.code == "stock_short"
    assert "Product B: 11 wanted, 10 available" in refused.value.message
    assert (level(shop, "product-a"), level(shop, "product-b")) == ((10, 0), (10, 0))
    assert stock.live_reservation(shop, FIRST) is None


def test_reserving_again_keeps_what_fits(shop: Session, clock: Clock) -> None:
    """Asked twice, step 4 sets aside once."""
    ordered(shop, clock, a=4)
    assert reserve(shop, clock) == reserve(shop, clock)
    assert level(shop) == (10, 4)


def test_reserving_again_replaces_what_does_not_fit(shop: Session, clock: Clock) -> None:
    """A reservation for other quantities or another region replaces the one that is held, in one go."""
    order = ordered(shop, clock, a=8)
    reserve(shop, clock)
    order.lines[0].quantity = 10
    assert reserve(shop, clock)["reference"] == "R-WB-10001-2"
    assert level(shop) == (10, 10)
    reserve(shop, clock, region="europe")
    assert (level(shop), level(shop, region="europe")) == ((10, 0), (10, 10))
    order.lines[0].quantity = 11
    with pytest.raises(Refused):
        reserve(shop, clock, region="malaysia")
    assert (level(shop, region="europe"), level(shop, region="malaysia")) == ((10, 10), (10, 0))
    assert [r.state for r in shop.scalars(select(Reservation).order_by(Reservation.reference))] == [
        "released", "released", "held",
    ]  # fmt: skip


def test_a_region_without_the_product_is_short(session: Session, clock: Clock) -> None:
    """No row is no stock, not an error."""
    stock_up(session, clock, product(stock={"europe": 5}))
    ordered(session, clock, a=1)
    with pytest.raises(Refused, match="0 available in Malaysia"):
        reserve(session, clock, region="malaysia")


# --- release, pick, ship, put back -----------------------------------------------------------------------------------


def test_releasing_gives_back(shop: Session, clock: Clock) -> None:
    """What is held and on the shelf is everybody's again; once is enough."""
    ordered(shop, clock, a=4)
    reserve(shop, clock)
    assert inventory.release(call(shop, clock))["picked"] == 0
    assert released(shop, clock) == (False, 0, None)
    assert level(shop) == (10, 0)
    assert reserve(shop, clock)["reference"] == "R-WB-10001-2"


def test_releasing_an_order_that_never_was(shop: Session, clock: Clock) -> None:
    """An order that is cancelled before step 1 is done holds nothing."""
    assert released(shop, clock, "WB-99999") == (False, 0, None)


def test_picked_goods_stay_reserved_until_put_back(shop: Session, clock: Clock) -> None:
    """Nobody can sell what lies on a packing table."""
    ordered(shop, clock, a=4, b=1)
    reserve(shop, clock)
    assert inventory.pick(call(shop, clock))["picked"] == 5

    assert released(shop, clock) == (False, 5, "R-WB-10001-1")
    assert level(shop) == (10, 4)

    assert inventory.put_back(call(shop, clock), {"lines": lines(a=4, b=1)})["picked"] == 0
    assert (level(shop, "product-a"), level(shop, "product-b")) == ((10, 0), (10, 0))
    assert books_agree(shop)


def test_what_did_not_come_back_is_written_off(shop: Session, clock: Clock) -> None:
    """Counting in fewer than were picked lowers the stock, with a movement that says so."""
    ordered(shop, clock, a=4)
    reserve(shop, clock)
    inventory.pick(call(shop, clock))
    inventory.put_back(call(shop, clock), {"lines": lines(a=3)})
    assert level(shop) == (9, 0)
    assert books_agree(shop)


@pytest.mark.parametrize(
    ("back", "field"),
    [
        ([("product-a", 5)], "/lines/0/quantity"),
        ([("product-a", 3), ("product-a", 2)], "/lines/1/quantity"),
        ([("product-b", 1)], "/lines/0/sku"),
    ],
)
def test_no_more_comes_back_than_was_picked(
    shop: Session, clock: Clock, back: list[tuple[str, int]], field: str
) -> None:
    """Putting back what never left would invent stock."""
    ordered(shop, clock, a=4)
    reserve(shop, clock)
    inventory.pick(call(shop, clock))
    with pytest.raises(Problem) as problem:
        inventory.put_back(call(shop, clock), {"lines": [{"sku": sku, "quantity": n} for sku, n in back]})
    assert [error.field for error in problem.value.errors] == [field]
    assert level(shop) == (10, 4)


def test_the_put_back_form_lists_what_was_picked(shop: Session, clock: Clock) -> None:
    """The form is filled in with everything that is off the shelf, and its example can be submitted."""
    ordered(shop, clock, a=4)
    reserve(shop, clock)
    inventory.pick(call(shop, clock))
    context = inventory.put_back_form(call(shop, clock))
    assert context.data == {"lines": lines(a=4)}
    inventory.put_back(call(shop, clock), context.example)
    assert level(shop) == (10, 0)


def test_nothing_can_be_picked_that_is_not_reserved(shop: Session, clock: Clock) -> None:
    """Picking without a reservation is a fault, not a shortage."""
    ordered(shop, clock, a=4)
    with pytest.raises(inventory.NothingReserved):
        inventory.pick(call(shop, clock))


def test_shipped_goods_leave_the_books(shop: Session, clock: Clock) -> None:
    """At pickup the goods are gone, once, however often the courier says so."""
    ordered(shop, clock, a=4, b=2)
    reserve(shop, clock)
    inventory.pick(call(shop, clock))
    assert inventory.ship(shop, FIRST, clock.now()) == 6
    assert inventory.ship(shop, FIRST, clock.now()) == 0
    assert (level(shop, "product-a"), level(shop, "product-b")) == ((6, 0), (8, 0))
    assert books_agree(shop)


def test_a_lost_parcel_is_reserved_again(shop: Session, clock: Clock) -> None:
    """Shipping again takes the goods a second time; when they are not there it takes none."""
    order = ordered(shop, clock, a=4)
    reserve(shop, clock)
    inventory.ship(shop, FIRST, clock.now())
    assert inventory.reserve_again(shop, order, clock.now()).reference == "R-WB-10001-2"
    inventory.ship(shop, FIRST, clock.now())
    with pytest.raises(Refused, match="2 available"):
        inventory.reserve_again(shop, order, clock.now())
    assert level(shop) == (2, 0)
    assert books_agree(shop)


def test_returned_goods_come_back_where_they_left(shop: Session, clock: Clock) -> None:
    """A parcel that comes back whole is in stock again, and no more than left can come back."""
    ordered(shop, clock, a=4)
    reserve(shop, clock, region="europe")
    inventory.ship(shop, FIRST, clock.now())
    inventory.take_back(shop, FIRST, {"product-a": 3}, clock.now())
    assert level(shop, region="europe") == (9, 0)
    inventory.take_back(shop, FIRST, {"product-a": 3, "product-b": 1}, clock.now())
    assert (level(shop, region="europe"), level(shop, "product-b", "europe")) == ((10, 0), (10, 0))
    assert books_agree(shop)


def test_a_delivery_raises_the_stock(shop: Session, clock: Clock) -> None:
    """What the supplier brings is there at once, also where there never was any."""
    stock.take_in(shop, ("product-a", "europe"), 5, clock.now())
    stock_up(shop, clock, product("product-c", stock={}))
    stock.take_in(shop, ("product-c", "malaysia"), 7, clock.now())
    assert (level(shop, region="europe"), level(shop, "product-c", "malaysia")) == ((15, 0), (7, 0))
    assert books_agree(shop)


# --- shortage --------------------------------------------------------------------------------------------------------


def settle(session: Session, clock: Clock, **form: Any) -> dict[str, Any]:
    return dict(inventory.resolve_shortage(call(session, clock), form))


def refused_fields(session: Session, clock: Clock, **form: Any) -> list[str]:
    with pytest.raises(Problem) as problem:
        settle(session, clock, **form)
    return [error.field for error in problem.value.errors]


@pytest.fixture
def short(session: Session, clock: Clock) -> Session:
    """Five of A and three of B are wanted from North America, which has two and three; Europe has all."""
    stock_up(
        session,
        clock,
        product("product-a", stock={"north_america": 2, "europe": 9, "malaysia": 1}),
        product("product-b", stock={"north_america": 3, "europe": 9, "malaysia": 9}),
    )
    ordered(session, clock, a=5, b=3)
    return session


def test_another_region_can_serve(short: Session, clock: Clock) -> None:
    """The order is served from the region that was chosen, from then on."""
    assert settle(short, clock, choice="other_region", stock_region="europe")["stock_region"] == "europe"
    assert load_order(short, FIRST).stock_region == "europe"


def test_a_region_that_is_short_too_is_refused_on_the_form(short: Session, clock: Clock) -> None:
    """Nobody is sent in a circle."""
    assert refused_fields(short, clock, choice="other_region", stock_region="malaysia") == ["/stock_region"]
    assert refused_fields(short, clock, choice="other_region") == ["/stock_region"]


def test_fewer_lowers_quantities_and_total(short: Session, clock: Clock) -> None:
    """The customer takes what is there; a product that is left out leaves the order."""
    variable = settle(short, clock, choice="fewer", items=lines(a=2))
    short.expire_all()
    assert [(line.sku, line.quantity) for line in load_order(short, FIRST).lines] == [("product-a", 2)]
    assert (variable["total"], variable["weight_g"]) == (2 * 2_490, 2 * 450)


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([("product-a", 6)], "/items/0/quantity"),
        ([("product-a", 2), ("product-a", 1)], "/items/1/sku"),
        ([("product-c", 1)], "/items/0/sku"),
        ([("product-a", 5), ("product-b", 3)], "/items"),
        ([], "/items"),
    ],
)
def test_fewer_means_fewer(short: Session, clock: Clock, items: list[tuple[str, int]], field: str) -> None:
    """More, twice, of something else, unchanged or nothing at all is told by its field and changes nothing."""
    form = [{"sku": sku, "quantity": quantity} for sku, quantity in items]
    assert refused_fields(short, clock, choice="fewer", items=form) == [field]
    assert [line.quantity for line in load_order(short, FIRST).lines] == [5, 3]


def test_waiting_for_what_has_come_is_refused(short: Session, clock: Clock) -> None:
    """Goods that arrived while somebody thought are not waited for: nobody would announce them again."""
    settle(short, clock, choice="wait")
    stock.take_in(short, ("product-a", "north_america"), 3, clock.now())
    assert refused_fields(short, clock, choice="wait") == ["/choice"]
    assert settle(short, clock, choice="other_region", stock_region="north_america")["stock_region"] == "north_america"


def test_the_form_shows_every_region_and_a_way_on(short: Session, clock: Clock) -> None:
    """Facts for each product and region; the example is the choice that gets furthest, and can be submitted."""
    context = inventory.shortage_form(call(short, clock))
    assert len(context.facts) == 6
    assert context.facts[0].label == "Product A, Europe"
    assert context.example == {"choice": "other_region", "stock_region": "europe"}

    stock_up(short, clock, product("product-a", stock={"north_america": 2, "europe": 0}))
    context = inventory.shortage_form(call(short, clock))
    assert context.example["items"] == lines(a=2, b=3)
    settle(short, clock, **context.example)
    assert inventory.check(call(short, clock), "north_america")["ok"] is True


# --- gate 5 and step 20 ----------------------------------------------------------------------------------------------


def test_the_approver_signs_what_is_set_aside(shop: Session, clock: Clock) -> None:
    """The submission holds order, lines, value and reservation, and nothing that others or the clock can change."""
    ordered(shop, clock, a=4, b=1)
    reserve(shop, clock, region="europe")
    signed = inventory.submission(call(shop, clock))
    assert signed == {
        "order": FIRST,
        "customer": "Mia Tanaka",
        "lines": [
            {"sku": "product-a", "name": "Product A", "ordered": 4, "reserved": 4, "region": "europe"},
            {"sku": "product-b", "name": "Product B", "ordered": 1, "reserved": 1, "region": "europe"},
        ],
        "value": {"amount": 4 * 2_490 + 12_900, "currency": "USD"},
        "reservation": "R-WB-10001-1",
    }
    stock.take_in(shop, ("product-a", "europe"), 50, clock.now())
    ordered(shop, clock, "WB-10002", a=3)
    reserve(shop, clock, "WB-10002", "europe")
    assert inventory.submission(call(shop, clock)) == signed


def test_restock_is_proposed_from_what_left(shop: Session, clock: Clock) -> None:
    """Step 20 proposes what this order took and did not bring back, where it took it."""
    ordered(shop, clock, a=4, b=2)
    reserve(shop, clock, region="malaysia")
    inventory.ship(shop, FIRST, clock.now())
    inventory.take_back(shop, FIRST, {"product-b": 2}, clock.now())

    context = restock.restock_form(call(shop, clock))
    assert context.data == {"restock": [{"sku": "product-a", "region": "malaysia", "quantity": 4}]}
    assert context.facts[0].value == "4 taken, 6 available"

    assert restock.propose_restock(call(shop, clock), context.example) == {"proposals": 1, "units": 4}
    kept = shop.scalars(select(RestockProposal)).one()
    assert (kept.sku, kept.region, kept.quantity, kept.order_number) == ("product-a", "malaysia", 4, FIRST)


def test_a_proposal_for_nothing_is_not_kept(shop: Session, clock: Clock) -> None:
    """Zero proposes nothing, and a product that does not exist is refused."""
    none = {"restock": [{"sku": "product-a", "region": "europe", "quantity": 0}]}
    assert restock.propose_restock(call(shop, clock), none)["proposals"] == 0
    with pytest.raises(Problem):
        restock.propose_restock(call(shop, clock), {"restock": [{"sku": "x", "region": "europe", "quantity": 1}]})


# --- many at once ----------------------------------------------------------------------------------------------------


def test_the_last_units_are_sold_once(database: Database, clock: Clock) -> None:
    """Eight orders contend for the last five of two products: each piece goes to one order, and all five are sold."""
    with database.write() as session:
        five = {"north_america": 5}
        stock_up(session, clock, product("product-a", stock=five), product("product-b", stock=five))
        for n in range(8):
            # named in opposite order, so that rows would be locked crosswise if the ledger did not sort them
            letters = ("a", "b") if n % 2 else ("b", "a")
            ordered(session, clock, f"WB-{n}", **dict.fromkeys(letters, 1))
    got: list[str] = []
    short: list[str] = []
    failed: list[BaseException] = []
    together = threading.Barrier(8)

    def contend(n: int) -> None:
        together.wait()
        try:
            with database.write() as session:
                reserve(session, clock, f"WB-{n}")
            got.append(f"WB-{n}")
        except Refused:
            short.append(f"WB-{n}")
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failed.append(error)

    threads = [threading.Thread(target=contend, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    assert (len(got), len(short)) == (5, 3)
    with database.write() as session:
        assert (level(session, "product-a"), level(session, "product-b")) == ((5, 5), (5, 5))
        assert books_agree(session)


def test_reserving_takes_few_statements(shop: Session, clock: Clock) -> None:
    """Steps 3 and 4 of a two-line order: commands have few statements to spend."""
    ordered(shop, clock, a=1, b=1)
    shop.flush()
    shop.expunge_all()
    statements: list[str] = []
    event.listen(shop.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))

    inventory.check(call(shop, clock), "north_america")
    inventory.reserve(call(shop, clock), "north_america")

    assert len(statements) <= 10, "\n".join(statements)


def test_stock_rows_are_taken_last(shop: Session, clock: Clock) -> None:
    """Everybody wants them: what else is written for a change is written before, so they are locked briefly."""
    ordered(shop, clock, a=2, b=1)
    shop.flush()
    statements: list[str] = []
    event.listen(shop.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))

    def last() -> str:
        written = [s for s in statements if s.startswith(("INSERT", "UPDATE"))]
        stock_rows = [s for s in written if s.startswith(("INSERT INTO stock ", "UPDATE stock SET"))]
        assert len(stock_rows) == 1
        statements.clear()
        return written[-1] if written[-1] in stock_rows else f"after the stock: {written[-1]}"

    inventory.reserve(call(shop, clock), "north_america")
    assert last().startswith("UPDATE stock SET")
    inventory.reserve(call(shop, clock), "europe")
    assert last().startswith("UPDATE stock SET")
    inventory.release(call(shop, clock))
    assert last().startswith("UPDATE stock SET")
    reserve(shop, clock)
    inventory.pick(call(shop, clock))
    statements.clear()
    inventory.ship(shop, FIRST, clock.now())
    assert last().startswith("UPDATE stock SET")
    inventory.take_back(shop, FIRST, {"product-a": 1}, clock.now())
    assert last().startswith("INSERT INTO stock ")
