"""The catalogue: products with their prices and the stock of each region, from a file or for the demo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from handlers.contract import Refused, WaybillError
from handlers.csvfile import Row, RowError, read_rows
from handlers.money import is_currency, parse
from handlers.picklists import REGIONS
from handlers.stock import count
from handlers.tables import Product, Stock

COLUMNS = ("sku", "name", "unit_price", "currency", "weight_g", *(f"stock_{region}" for region in REGIONS))
LARGEST_STOCK = 1_000_000_000
LARGEST_WEIGHT = 1_000_000
"""Grams."""
LARGEST_PRICE = 10_000_000_000
"""Minor units: ten thousand of the dearest product still fit an order's total."""
_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One product as a file or the demo gives it. The price is in minor units."""

    sku: str
    name: str
    unit_price: int
    currency: str
    weight_g: int
    stock: Mapping[str, int]
    """Units by region."""
    fragile: bool | None = None
    """None: as it was known before."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Where it lies, by region; one that is not named stays as it was."""
    line: int = 0
    """Its line in the file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a catalogue file."""

    accepted: int
    """Rows that were taken."""
    errors: tuple[RowError, ...]
    """One for each field that was refused; the rows of these were not taken."""
    risen: tuple[str, ...]
    """SKUs of which some region now has more: orders that wait for stock should look again."""


def import_catalogue(session: Session, file: BinaryIO, now: datetime) -> Taken:
    """Takes a catalogue file: new products are added, known ones changed, stock is set to what the file counts.

    A bad row is refused whole and named by line and field; the others are taken. Never raises for what stands in it.
    """
    rows: dict[str, CatalogueRow] = {}
    errors: list[RowError] = []
    for found in read_rows(file, COLUMNS):
        parsed = [found] if isinstance(found, RowError) else _parse(found)
        if isinstance(parsed, CatalogueRow) and parsed.sku in rows:
            message = f"“{parsed.sku}” stands in line {rows[parsed.sku].line} already."
            parsed = [RowError(parsed.line, "sku", message)]
        if isinstance(parsed, CatalogueRow):
            rows[parsed.sku] = parsed
        else:
            errors += parsed
    taken = take_catalogue(session, rows.values(), now)
    errors = sorted([*errors, *taken.errors], key=lambda error: error.line)
    return Taken(taken.accepted, tuple(errors), taken.risen)


def take_catalogue(session: Session, rows: Iterable[CatalogueRow], now: datetime) -> Taken:
    """Writes products and sets their stock, in the order of the SKUs like everyone who changes stock."""
    wanted = sorted(rows, key=lambda row: row.sku)
    known = {product.sku: product for product in session.scalars(select(Product))}
    errors: list[RowError] = []
    risen = []
    for row in wanted:
        try:
            with session.begin_nested():
                _write_product(session, known.get(row.sku), row)
                if _set_stock(session, row, now):
                    risen.append(row.sku)
        except _RefusedField as refused:
            errors.append(RowError(row.line, refused.field, str(refused)))
    return Taken(len(wanted) - len(errors), tuple(errors), tuple(risen))


def demo_catalogue() -> list[CatalogueRow]:
    """Product A–E, as the demo sells them."""
    return [
        _demo("a", 2_490, 450, (420, 380, 160), fragile=False),
        _demo("b", 12_900, 1_800, (240, 220, 90), fragile=True),
        _demo("c", 5_995, 900, (300, 260, 120), fragile=False),
        _demo("d", 34_900, 6_500, (90, 80, 40), fragile=True),
        _demo("e", 899, 120, (800, 760, 300), fragile=False),
    ]


def _demo(letter: str, unit_price: int, weight_g: int, units: tuple[int, int, int], *, fragile: bool) -> CatalogueRow:
    aisle = "abcde".index(letter) + 1
    return CatalogueRow(
        sku=f"product-{letter}",
        name=f"Product {letter.upper()}",
        unit_price=unit_price,
        currency="USD",
        weight_g=weight_g,
        stock=dict(zip(REGIONS, units, strict=True)),
        fragile=fragile,
        locations=dict.fromkeys(REGIONS, f"aisle {aisle}"),
    )


# --- writing ---------------------------------------------------------------------------------------------------------


class _RefusedField(WaybillError):
    """A row that fits its columns but not what is stored."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


def _write_product(session: Session, product: Product | None, row: CatalogueRow) -> None:
    if product is None:
        product = Product(sku=row.sku, fragile=False)
        session.add(product)
    product.name, product.unit_price, product.currency = row.name, row.unit_price, row.currency
    product.weight_g = row.weight_g
    if row.fragile is not None:
        product.fragile = row.fragile
    session.flush()  # the stock rows refer to it


def _set_stock(session: Session, row: CatalogueRow, now: datetime) -> bool:
    """Sets every region's stock and place; whether some region has more than before."""
    rose = False
    for region, units in sorted(row.stock.items()):
        try:
            rose |= count(session, (row.sku, region), units, now) > 0
        except Refused as refused:
            raise _RefusedField(f"stock_{region}", refused.message) from refused
        if region in row.locations:
            place = update(Stock).where(Stock.sku == row.sku, Stock.region == region)
            session.execute(place.values(location=row.locations[region]))
    return rose


# --- reading ---------------------------------------------------------------------------------------------------------


def _parse(row: Row) -> CatalogueRow | list[RowError]:
    if row.errors:
        return list(row.errors)
    values, errors = row.values, list[RowError]()
    if not _SKU.fullmatch(values["sku"]):
        errors.append(row.error("sku", "A SKU is 1 to 40 letters, digits, dots, slashes, dashes and underscores."))
    if not 1 <= len(values["name"]) <= 200:
        errors.append(row.error("name", "A name has 1 to 200 characters."))
    currency, price = values["currency"], 0
    if not is_currency(currency):
        errors.append(row.error("currency", f"There is no currency “{currency[:10]}”. Give an ISO 4217 code like USD."))
    else:
        price = _price(row, currency, errors)
    weight = _whole(row, "weight_g", 1, LARGEST_WEIGHT, errors)
    stock = {region: _whole(row, f"stock_{region}", 0, LARGEST_STOCK, errors) for region in REGIONS}
    if errors:
        return errors
    return CatalogueRow(values["sku"], values["name"], price, currency, weight, stock, line=row.line)


def _price(row: Row, currency: str, errors: list[RowError]) -> int:
    try:
        price = parse(row.values["unit_price"], currency)
    except ValueError as wrong:
        errors.append(row.error("unit_price", str(wrong)))
        return 0
    if not 0 <= price <= LARGEST_PRICE:
        errors.append(row.error("unit_price", "A price is not below 0 and not that large."))
    return price


def _whole(row: Row, column: str, least: int, most: int, errors: list[RowError]) -> int:
    text = row.values[column]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
    if not least <= number <= most:
        errors.append(row.error(column, f"“{text[:20]}” is not a whole number from {least:,} to {most:,}."))
    return number
