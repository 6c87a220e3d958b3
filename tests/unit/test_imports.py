"""Order files: what becomes an order, and what is told by line and field."""

from __future__ import annotations

import io
from typing import Any

import pytest

from handlers.contract import FieldError
from handlers.csvfile import RowError
from handlers.imports import COLUMNS, ImportedOrder, read_orders

HEADER = "order_ref,name,email,phone,street,city,region,postal_code,country,payment_method,shipping_method,sku,quantity"
GOOD = {
    "order_ref": "NW-1", "name": "Paul Henriot", "email": "paul@example.com", "phone": "26.47.15.10",
    "street": "59 rue de l'Abbaye", "city": "Reims", "region": "", "postal_code": "51100", "country": "France",
    "payment_method": "bank_transfer", "shipping_method": "standard", "sku": "NW-11", "quantity": "12",
}  # fmt: skip


def row(**changes: str) -> str:
    values = {**GOOD, **changes}
    return ",".join(f'"{value}"' if set(value) & set(',"\n') else value for value in values.values())


def read(*rows: str, header: str = HEADER) -> list[ImportedOrder | RowError]:
    return list(read_orders(io.BytesIO("\n".join((header, *rows)).encode())))


def refs(found: list[ImportedOrder | RowError]) -> list[str]:
    return [one.order_ref for one in found if isinstance(one, ImportedOrder)]


def told(found: list[ImportedOrder | RowError]) -> list[tuple[int, str]]:
    return [(one.line, one.field) for one in found if isinstance(one, RowError)]


def test_the_columns_are_those_of_the_contract() -> None:
    """The order file is described outside; its columns stand."""
    assert ",".join(COLUMNS) == HEADER


def test_rows_of_one_reference_are_one_order() -> None:
    """Rows become items, wherever they stand; orders come in the order of their first rows."""
    found = read(row(), row(order_ref="NW-2"), row(sku="NW-42", quantity="1"))
    assert refs(found) == ["NW-1", "NW-2"]
    first = found[0]
    assert isinstance(first, ImportedOrder)
    assert first.lines == (2, 4)
    assert first.form == {
        "name": "Paul Henriot", "email": "paul@example.com", "phone": "26.47.15.10", "street": "59 rue de l'Abbaye",
        "city": "Reims", "postal_code": "51100", "country": "FR", "payment_method": "bank_transfer",
        "shipping_method": "standard",
        "items": [{"sku": "NW-11", "quantity": 12}, {"sku": "NW-42", "quantity": 1}],
    }  # fmt: skip


def test_what_step_1_refuses_is_told_by_line_and_column() -> None:
    """`/items/1/sku` is the second row's SKU, `/name` the first row's name."""
    order = read(row(), row(order_ref="NW-2"), row(sku="NW-42"))[0]
    assert isinstance(order, ImportedOrder)
    errors = [FieldError("/items/1/sku", "unknown"), FieldError("/name", "long"), FieldError("", "whole")]
    assert [(e.line, e.field) for e in order.located(errors)] == [(4, "sku"), (2, "name"), (2, "")]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"country": "Atlantis"}, "country"),
        ({"quantity": "1.5"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "²"}, "quantity"),
        ({"quantity": "9" * 5_000}, "quantity"),
        ({"order_ref": ""}, "order_ref"),
        ({"order_ref": "x" * 81}, "order_ref"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 20_000}, "name"),
        ({"order_ref": "NW-1", "city": "Paris"}, "city"),
    ],
)
def test_a_bad_row_is_named_and_its_order_left_out(bad: dict[str, str], field: str) -> None:
    """One bad field refuses the whole order, told by line and field; others are taken."""
    found = read(row(), row(order_ref="NW-2"), row(**{"order_ref": "NW-1", **bad}), row(order_ref="NW-3"))
    assert told(found) == [(4, field)]
    expected = ["NW-2", "NW-3"] if bad.get("order_ref", "NW-1") == "NW-1" else ["NW-1", "NW-2", "NW-3"]
    assert refs(found) == expected


def test_latin_1_is_told_by_line_and_field() -> None:
    """A file of another encoding is not guessed at: what cannot be read is named, the rest is taken."""
    content = "\n".join((HEADER, row(), row(order_ref="NW-2", city="Münster"), row(order_ref="NW-3")))
    found = list(read_orders(io.BytesIO(content.encode("latin-1"))))
    assert told(found) == [(3, "city")]
    assert refs(found) == ["NW-1", "NW-3"]
    assert "UTF-8" in str(next(one for one in found if isinstance(one, RowError)))


def test_utf_8_with_a_byte_order_mark_is_fine() -> None:
    """Spreadsheets write one."""
    content = "\n".join((HEADER, row(city="Münster")))
    found = list(read_orders(io.BytesIO(content.encode("utf-8-sig"))))
    assert isinstance(found[0], ImportedOrder)
    assert found[0].form["city"] == "Münster"


def test_windows_line_ends_and_quoted_line_breaks_keep_the_count() -> None:
    """Errors name the line a person sees in an editor."""
    content = "\r\n".join((HEADER, row(street="Hinterhaus\nAufgang 2"), row(order_ref="NW-2", country="Nowhere")))
    assert told(list(read_orders(io.BytesIO(content.encode())))) == [(4, "country")]


def test_missing_and_unknown_columns_are_named() -> None:
    """Without a column nothing is taken; one too many is told and left out."""
    assert told(read(row(), header=HEADER.replace("email", "e-mail"))) == [(1, "email"), (1, "e-mail")]
    found = read(row() + ",blue", header=HEADER + ",colour")
    assert (told(found), refs(found)) == ([(1, "colour")], ["NW-1"])


def test_rows_that_are_too_short_or_long_are_named() -> None:
    """A comma too many moves every field: such a row is never taken."""
    found = read(row() + ",more", "NW-2,only", row(order_ref="NW-3"))
    assert told(found) == [(2, ""), (3, "")]
    assert refs(found) == ["NW-3"]


def test_a_row_that_is_not_csv_spoils_its_neighbours_only() -> None:
    """Whose row it was cannot be told, so the orders beside it are not taken in part."""
    huge = row(order_ref="NW-2", street="x" * 200_000)
    found = read(row(order_ref="NW-0"), row(), huge, row(order_ref="NW-3"), row(order_ref="NW-4"))
    assert told(found) == [(4, "")]
    assert refs(found) == ["NW-0", "NW-4"]


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02", b"\xff\xfe" + "order_ref,name".encode("utf-16-le"), b"[1, 2]"]
)
def test_a_file_of_another_kind_is_refused_in_words(content: bytes) -> None:
    """Never a traceback, always what the file should be."""
    found = read_orders(io.BytesIO(content))
    errors = list(found)
    assert told(errors)[0][0] == 1
    assert refs(errors) == []


def test_blank_lines_are_nothing() -> None:
    """Spreadsheets leave some at the end."""
    assert refs(read(row(), "", ",,,,,,,,,,,,", "")) == ["NW-1"]


def test_the_file_stays_the_callers() -> None:
    """Reading does not close it."""
    file = io.BytesIO((HEADER + "\n" + row()).encode())
    assert len(list(read_orders(file))) == 1
    assert not file.closed


def test_values_are_kept_as_they_are() -> None:
    """A doubtful phone is step 2's business, a payment method that does not exist step 1's."""
    order: Any = read(row(phone="(5) 555-4729", payment_method="cheque"))[0]
    assert (order.form["phone"], order.form["payment_method"]) == ("(5) 555-4729", "cheque")
