"""What a gate submits, as parts that a page can show, and what changed between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web.text import label, money, number
from web.texts import N_, _

_KNOWN = {
    "order": N_("Order"),
    "customer": N_("Customer"),
    "lines": N_("Lines"),
    "sku": N_("SKU"),
    "name": N_("Name"),
    "ordered": N_("Ordered"),
    "reserved": N_("Reserved"),
    "quantity": N_("Quantity"),
    "region": N_("From"),
    "stock_region": N_("From"),
    "value": N_("Order value, before tax"),
    "value_together": N_("Value together"),
    "together_with": N_("Together with"),
    "reservation": N_("Reservation"),
    "invoice": N_("Invoice"),
    "unit_price": N_("Each"),
    "discount": N_("Discount"),
    "tax": N_("Tax"),
    "rate": N_("Rate"),
    "tax_rate_bp": N_("Tax rate"),
    "amount": N_("Amount"),
    "net": N_("Net"),
    "total": N_("Total"),
    "captured": N_("Captured"),
    "method": N_("Method"),
    "reference": N_("Reference"),
    "due": N_("Due"),
    "at": N_("Time"),
}
"""What the submissions that come with Waybill hold; of others the words of their keys are shown."""
_SAID = frozenset({"order", "customer"})
_ROW_NAMES = ("name", "sku", "number", "reference", "kind")
_HASHED = frozenset({"sha256", "hash"})


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A list of the submission: one row per entry."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Description:
    """A submission for people: single values first, then its lists."""

    values: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    rest: tuple[tuple[str, str], ...]
    """The values without order and customer, for pages that name them anyway."""


@dataclass(frozen=True, slots=True)
class Change:
    what: str
    was: str
    now: str


def describe(submission: Mapping[str, Any]) -> Description:
    """The submission in words; nothing of it is left out."""
    currency = _currency(submission)
    values: list[tuple[str, str]] = []
    tables: list[Table] = []
    rest: list[tuple[str, str]] = []
    _collect(submission, "", currency, values, tables)
    _collect({key: value for key, value in submission.items() if not _said(key, value)}, "", currency, rest, [])
    return Description(tuple(values), tuple(tables), tuple(rest))


def _said(key: str, value: Any) -> bool:
    return key in _SAID and not isinstance(value, (Mapping, list))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs: was and is, line by line."""
    old, new = dict(_flat(before, "", _currency(before))), dict(_flat(after, "", _currency(after)))
    keys = list(new) + [key for key in old if key not in new]
    return tuple(Change(key, old.get(key, "–"), new.get(key, "–")) for key in keys if old.get(key) != new.get(key))


def _collect(
    node: Mapping[str, Any], prefix: str, currency: str, values: list[tuple[str, str]], tables: list[Table]
) -> None:
    for key, value in node.items():
        title = f"{prefix}{_title(key)}"
        if _is_money(value) or not isinstance(value, (Mapping, list)):
            values.append((title, _write(key, value, currency)))
        elif isinstance(value, Mapping) and _is_tax(value):
            values.append((title, _tax(value)))
        elif isinstance(value, Mapping):
            _collect(value, f"{title}: ", currency, values, tables)
        elif value and all(isinstance(entry, Mapping) for entry in value):
            tables.append(_table(title, value, currency))
        else:
            values.append((title, ", ".join(_write(key, entry, currency) for entry in value) or _("none")))


def _table(title: str, rows: Sequence[Mapping[str, Any]], currency: str) -> Table:
    keys: list[str] = []
    for row in rows:
        keys += [key for key in row if key not in keys]
    named = next((key for key in _ROW_NAMES if key in keys), None)
    if named:
        keys = [named, *(key for key in keys if key != named)]
    product = {"name": _("Product")} if "sku" in keys else {}
    columns = tuple(
        Column(key, product.get(key) or _title(key), all(_numeric(row.get(key)) for row in rows)) for key in keys
    )
    lines = tuple(tuple(_cell(key, row.get(key), row.get("currency", currency)) for key in keys) for row in rows)
    return Table(title, columns, lines)


def _cell(key: str, value: Any, currency: str) -> str:
    if isinstance(value, Mapping) and not _is_money(value):
        return ", ".join(f"{_title(k)} {_write(k, v, currency)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(key, entry, currency) for entry in value)
    return _write(key, value, currency)


def _flat(node: Any, prefix: str, currency: str) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        title = f"{prefix}{_title(key)}"
        if isinstance(value, Mapping) and _is_tax(value):
            yield title, _tax(value)
        elif isinstance(value, Mapping) and not _is_money(value):
            yield from _flat(value, f"{title}: ", currency)
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            for position, entry in enumerate(value, start=1):
                name = next((str(entry[k]) for k in _ROW_NAMES if entry.get(k)), f"{title} {position}")
                yield from _flat({k: v for k, v in entry.items() if k not in ("name", "sku")}, f"{name}, ", currency)
        else:
            yield title, _cell(key, value, currency)


def _title(key: str) -> str:
    return _(_KNOWN[key]) if key in _KNOWN else key.replace("_", " ").capitalize()


def _write(key: str, value: Any, currency: str) -> str:
    if value is None:
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if _is_money(value):
        return money(value["amount"], value["currency"])
    if isinstance(value, int) and key in _AMOUNTS and currency:
        return money(value, currency)
    if isinstance(value, int) and key.endswith("_bp"):
        return _("%(number)s%%", number=number(value / 100))
    if isinstance(value, (int, float)):
        return number(value)
    text = str(value)
    if key in _HASHED:
        return text[:12]
    return label(text) if _is_code(key, text) else text


_AMOUNTS = frozenset(
    {
        "amount",
        "total",
        "net",
        "tax",
        "discount",
        "unit_price",
        "due",
        "captured",
        "refunded",
        "invoiced",
        "paid",
        "price",
    }
)
_CODES = frozenset(
    {"region", "stock_region", "payment_method", "method", "shipping_method", "kind", "state", "status", "follow_up"}
)


def _is_code(key: str, text: str) -> bool:
    return key in _CODES and text.replace("_", "").replace("-", "").isalnum()


def _is_money(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"amount", "currency"}


def _is_tax(value: Mapping[str, Any]) -> bool:
    return set(value) == {"name", "rate", "amount"} and _is_money(value["amount"])


def _tax(value: Mapping[str, Any]) -> str:
    """`VAT 19%, €5.67`."""
    words = " ".join(str(part) for part in (value["name"], value["rate"]) if part)
    amount = _write("amount", value["amount"], "")
    return _("%(tax)s, %(amount)s", tax=words or _("none"), amount=amount)


def _numeric(value: Any) -> bool:
    return value is None or _is_money(value) or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _currency(node: Mapping[str, Any]) -> str:
    """The currency that plain amounts of the submission are in."""
    for key, value in node.items():
        if key == "currency" and isinstance(value, str):
            return value
        if isinstance(value, Mapping) and (found := _currency(value)):
            return found
        if isinstance(value, list):
            for entry in value:
                if isinstance(entry, Mapping) and (found := _currency(entry)):
                    return found
    return ""
