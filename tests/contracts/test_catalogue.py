"""What a catalogue file does to products and stock, on both databases."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers import inventory
from handlers.catalogue import COLUMNS, Taken, demo_catalogue, import_catalogue, take_catalogue
from handlers.contract import Clock
from handlers.tables import Product, Stock
from tests.shopfloor import books_agree, call, level, stock_up, take_order

HEADER = "sku,name,unit_price,currency,weight_g,stock_north_america,stock_europe,stock_malaysia"


def imported(session: Session, clock: Clock, *rows: str, header: str = HEADER) -> Taken:
    return import_catalogue(session, io.BytesIO("\n".join((header, *rows)).encode()), clock.now())


def told(taken: Taken) -> list[tuple[int, str]]:
    return [(error.line, error.field) for error in taken.errors]


def test_a_file_fills_the_catalogue(session: Session, clock: Clock) -> None:
    """Prices are decimals of the main unit in the file and minor units of the currency in the shop."""
    taken = imported(session, clock, "NW-11,Queso Cabrales,14.00,USD,500,5,0,7", "JP-1,Tofu,1400,JPY,300,1,1,1")
    assert (taken.accepted, taken.errors, taken.risen) == (2, (), ("JP-1", "NW-11"))
    prices = {row.sku: row.unit_price for row in session.execute(select(Product.sku, Product.unit_price))}
    assert prices == {"NW-11": 1400, "JP-1": 1400}
    assert (level(session, "NW-11"), level(session, "NW-11", "europe")) == ((5, 0), (0, 0))
    assert books_agree(session)


def test_a_file_sets_stock_to_what_was_counted(session: Session, clock: Clock) -> None:
    """Importing again changes names and prices, sets the stock, and says of which products there is more now."""
    rows = ("A-1,One,1.00,USD,10,5,5,5", "A-2,Two,2.00,USD,10,5,5,5", "A-3,Three,3.00,USD,10,5,5,5")
    imported(session, clock, *rows)
    again = imported(
        session, clock, "A-1,Uno,1.50,USD,10,5,5,5", "A-2,Two,2.00,USD,10,5,9,5", "A-3,Three,3.00,USD,9,5,1,5"
    )
    assert again.risen == ("A-2",)
    assert (level(session, "A-2", "europe"), level(session, "A-3", "europe")) == ((9, 0), (1, 0))
    assert session.scalar(select(Product.unit_price).where(Product.sku == "A-1")) == 150
    assert books_agree(session)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",Name,1.00,USD,10,1,1,1", "sku"),
        ("has blank,Name,1.00,USD,10,1,1,1", "sku"),
        ("A-1,,1.00,USD,10,1,1,1", "name"),
        (f"A-1,{'x' * 201},1.00,USD,10,1,1,1", "name"),
        ("A-1,Name,1.005,USD,10,1,1,1", "unit_price"),
        ("A-1,Name,1.00,JPY,10,1,1,1", None),
        ("A-1,Name,1.50,JPY,10,1,1,1", "unit_price"),
        ("A-1,Name,-1.00,USD,10,1,1,1", "unit_price"),
        ("A-1,Name,NaN,USD,10,1,1,1", "unit_price"),
        ("A-1,Name,1e99,USD,10,1,1,1", "unit_price"),
        ("A-1,Name,9999999999,USD,10,1,1,1", "unit_price"),
        ("A-1,Name,1.00,XYZ,10,1,1,1", "currency"),
        ("A-1,Name,1.00,USD,0,1,1,1", "weight_g"),
        ("A-1,Name,1.00,USD,10,-1,1,1", "stock_north_america"),
        ("A-1,Name,1.00,USD,10,1,1.5,1", "stock_europe"),
        ("A-1,Name,1.00,USD,10,1,1,99999999999999999999", "stock_malaysia"),
        ("A-1,Na\x00me,1.00,USD,10,1,1,1", "name"),
        ("A-1,Name,1.00,USD,10,1,1", ""),
    ],
)
def test_a_bad_row_is_named_and_the_rest_taken(session: Session, clock: Clock, row: str, field: str | None) -> None:
    """Every refused row is told by line and field; the rows around it are taken."""
    taken = imported(session, clock, "B-1,Before,1.00,USD,10,1,1,1", row, "B-2,After,1.00,USD,10,1,1,1")
    if field is None:
        assert not taken.errors
        return
    assert told(taken) == [(3, field)]
    assert taken.accepted == 2
    assert session.scalars(select(Product.sku).order_by(Product.sku)).all() == ["B-1", "B-2"]


def test_a_product_stands_in_a_file_once(session: Session, clock: Clock) -> None:
    """The second row of one SKU is refused and told where the first is."""
    taken = imported(session, clock, "A-1,One,1.00,USD,10,1,1,1", "A-1,Two,2.00,USD,10,1,1,1")
    assert told(taken) == [(3, "sku")]
    assert "line 2" in taken.errors[0].message


def test_counting_less_than_is_reserved_is_refused(session: Session, clock: Clock) -> None:
    """What is promised to orders cannot be counted away; the whole row stays as it was."""
    stock_up(session, clock)
    take_order(session, clock, items=[{"sku": "product-a", "quantity": 4}])
    inventory.reserve(call(session, clock), "europe")
    taken = imported(session, clock, "product-a,Renamed,1.00,USD,10,1,3,1", "product-b,Product B,1.00,USD,10,1,1,1")
    assert told(taken) == [(2, "stock_europe")]
    session.expire_all()
    assert session.scalar(select(Product.name).where(Product.sku == "product-a")) == "Product A"
    assert (level(session), level(session, region="europe")) == ((10, 0), (10, 4))
    assert (level(session, "product-b"), books_agree(session)) == ((1, 0), True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff\xfes\x00k\x00u\x00,\x00",
        HEADER.replace(",", ";").encode(),
        b"sku,name\nA-1,One\n",
        b"\x00" * 50,
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(session: Session, clock: Clock, content: bytes) -> None:
    """Empty, UTF-16, semicolons, missing columns, binary: told at line 1, never a traceback."""
    taken = import_catalogue(session, io.BytesIO(content), clock.now())
    assert taken.accepted == 0
    assert {error.line for error in taken.errors} == {1}


def test_columns_may_stand_in_any_order(session: Session, clock: Clock) -> None:
    """The first line names the columns, so their order is free, and a byte order mark does not matter."""
    header = "\ufeffname,sku,currency,unit_price,weight_g,stock_malaysia,stock_europe,stock_north_america"
    taken = imported(session, clock, "One,A-1,USD,1.00,10,3,2,1", header=header)
    assert (taken.accepted, level(session, "A-1", "malaysia")) == (1, (3, 0))


def test_the_demo_sells_product_a_to_e(session: Session, clock: Clock) -> None:
    """The template's products, in stock in every region, each in its place."""
    taken = take_catalogue(session, demo_catalogue(), clock.now())
    assert taken.accepted == 5
    assert session.scalars(select(Product.name).order_by(Product.sku)).all() == [f"Product {x}" for x in "ABCDE"]
    assert session.scalar(select(func.min(Stock.on_hand))) > 0
    assert session.scalar(select(Stock.location).where(Stock.sku == "product-b", Stock.region == "europe")) == "aisle 2"
    fragile = imported(session, clock, "product-b,Product B,129.00,USD,1800,1,1,1")
    assert not fragile.errors
    session.expire_all()
    kept = session.scalars(select(Product).where(Product.sku == "product-b")).one()
    assert kept.fragile, "a file says nothing of fragility, so it changes nothing"


def test_the_columns_are_those_of_the_contract() -> None:
    """The catalogue file is described outside; its columns stand."""
    assert ",".join(COLUMNS) == HEADER
