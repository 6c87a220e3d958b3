"""Order files: rows of one `order_ref` become one form of step 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from handlers.contract import FieldError
from handlers.countries import find_country
from handlers.csvfile import Row, RowError, read_rows

LINE_COLUMNS = ("sku", "quantity")
"""What differs between the rows of one order; everything else must stand in each of them alike."""
COLUMNS = (
    "order_ref", "name", "email", "phone", "street", "city", "region", "postal_code", "country", "payment_method",
    "shipping_method", *LINE_COLUMNS,
)  # fmt: skip
_LONGEST_REF = 80


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """One order of a file, ready to be submitted at step 1."""

    order_ref: str
    form: Mapping[str, Any]
    """The form of step 1. Fields that are empty in the file are left out; values are kept as they stand there."""
    lines: tuple[int, ...]
    """The file's line of each item, in the order of `form["items"]`."""

    def located(self, errors: Iterable[FieldError]) -> list[RowError]:
        """What step 1 refused, by line and column of the file: `/items/2/sku` is the third row's `sku`."""
        return [self._located(error) for error in errors]

    def _located(self, error: FieldError) -> RowError:
        parts = error.field.strip("/").split("/")
        if parts[0] == "items" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(self.lines):
            return RowError(self.lines[int(parts[1])], "/".join(parts[2:]), error.message)
        return RowError(self.lines[0], parts[0], error.message)


def read_orders(file: BinaryIO) -> Iterator[ImportedOrder | RowError]:
    """The orders of a file in the order of their first rows, and an error for every field that cannot be read.

    Rows of one `order_ref` need not stand together. An order with a bad row is left out whole, never taken in part.
    What stands in the fields (an unknown SKU, a payment method that does not exist) is for step 1 to refuse.
    """
    orders: dict[str, list[Row]] = {}
    spoilt: set[str] = set()
    neighbour: str | None = None
    after_broken = False
    for found in read_rows(file, COLUMNS):
        if isinstance(found, RowError):
            # Whose row this was cannot be told, but rows of an order stand together: its neighbours may miss it.
            yield found
            after_broken = found.line > 1
            spoilt.update([neighbour] if neighbour and after_broken else [])
            continue
        neighbour = found.values["order_ref"]
        errors = found.errors or tuple(_row_errors(found, orders.get(neighbour)))
        yield from errors
        if errors or after_broken:
            spoilt.add(neighbour)
        after_broken = False
        orders.setdefault(neighbour, []).append(found)
    for ref, rows in orders.items():
        if ref not in spoilt:
            yield _order(ref, rows)


def _row_errors(row: Row, before: list[Row] | None) -> list[RowError]:
    errors = []
    ref, country, quantity = row.values["order_ref"], row.values["country"], row.values["quantity"]
    if not 1 <= len(ref) <= _LONGEST_REF:
        errors.append(row.error("order_ref", f"Give every row a reference of 1 to {_LONGEST_REF} characters."))
    if find_country(country) is None:
        message = f"There is no country “{country[:40]}”. Give its ISO code or English name, e.g. DE or Germany."
        errors.append(row.error("country", message))
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) <= 9):
        errors.append(row.error("quantity", f"“{quantity[:20]}” is not a whole number."))
    if before and not errors:
        errors = [
            row.error(column, f"Differs from line {before[0].line} of the same order.")
            for column in COLUMNS
            if column not in LINE_COLUMNS and row.values[column] != before[0].values[column]
        ]
    return errors


def _order(ref: str, rows: list[Row]) -> ImportedOrder:
    first = rows[0].values
    form: dict[str, Any] = {
        # a cell may have line breaks, a field of the form has not
        column: ", ".join(line.strip() for line in first[column].splitlines() if line.strip())
        for column in COLUMNS[1:]
        if column not in LINE_COLUMNS and first[column]
    }
    form["country"] = find_country(first["country"])
    form["items"] = [{"sku": row.values["sku"], "quantity": int(row.values["quantity"])} for row in rows]
    return ImportedOrder(ref, form, tuple(row.line for row in rows))
