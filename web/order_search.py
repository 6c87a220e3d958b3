"""What somebody looks for among the orders: first what kind of thing it is, then a condition that an index can serve.

Codes (numbers, references, tracking numbers, SSCCs) are looked up exactly, each in its own index, in one statement.
What is no code is looked for as a number's beginning, a SKU, an e-mail address or words of a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, bindparam, false, func, or_, select
from sqlalchemy.orm import Session

from engine.store.tables import Instance
from handlers import tables as shop
from handlers.orders import NUMBER_PREFIX
from web.texts import N_, _
from web.together import Together

Kind = Literal["nothing", "code", "sku", "number", "digits", "email", "words"]
_MOST_WORDS = 6
_MOST_CODES = 200
"""Orders that one code may name; a payment's reference is seldom that of a few."""
_LOOKED_AT = {
    "sku": N_("orders with the SKU"),
    "number": N_("order numbers that begin with it"),
    "digits": N_("order numbers and the customers’ references"),
    "email": N_("e-mail addresses"),
    "words": N_("customers’ names, cities, e-mail addresses and references"),
}
_CODES = N_("order, invoice, tracking, booking, parcel (SSCC) and payment numbers, references, SKUs")


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for."""

    text: str
    kind: Kind
    numbers: tuple[str, ...] = ()
    """The orders that a code names exactly."""

    @property
    def only(self) -> str | None:
        """The one order that is named exactly, or None."""
        return self.numbers[0] if len(self.numbers) == 1 else None

    @property
    def looked_at(self) -> str:
        """Where was looked, for somebody who has found nothing."""
        parts = [_(_CODES), *([_(_LOOKED_AT[self.kind])] if self.kind in _LOOKED_AT else [])]
        return "; ".join(parts)

    def condition(self) -> ColumnElement[bool] | None:
        """What the orders must fulfil, over `Instance` joined with the shop's `Order`; None: nothing is looked for."""
        match self.kind:
            case "nothing":
                return None
            case "code":
                return Instance.business_key.in_(self.numbers)
            case "sku":
                line = shop.OrderLine
                return Instance.business_key.in_(select(line.order_number).where(line.sku == self.text))
            case "number":
                return _begins(Instance.business_key, self.text.upper())
            case "digits":
                return or_(_holds(Instance.business_key, self.text), _holds(shop.Order.order_ref, self.text))
            case "email":
                return _holds(shop.Order.email, self.text)
            case "words":
                return and_(*(_any_column(word) for word in self.text.split()[:_MOST_WORDS]))


_TEXT: Any = bindparam("text")
_UPPER: Any = bindparam("upper")
_NUMBERED: Any = bindparam("numbered")
_SSCC: Any = bindparam("sscc")


def _named(column: Any, condition: ColumnElement[bool]) -> Any:
    return select(column.label("number")).where(condition)


_EXACT = Together(
    number=_named(Instance.business_key, Instance.business_key.in_([_TEXT, _UPPER, _NUMBERED])),
    reference=_named(shop.Order.number, shop.Order.order_ref.in_([_TEXT, _UPPER])),
    invoice=_named(shop.Invoice.order_number, shop.Invoice.number == _UPPER),
    tracking=_named(shop.Shipment.order_number, shop.Shipment.tracking_number.in_([_TEXT, _UPPER])),
    booking=_named(shop.Shipment.order_number, shop.Shipment.reference.in_([_TEXT, _UPPER])),
    parcel=_named(shop.Parcel.order_number, shop.Parcel.sscc == _SSCC),
    payment=_named(shop.Payment.order_number, shop.Payment.reference.in_([_TEXT, _UPPER])),
    sku=select(shop.Product.sku).where(shop.Product.sku.in_([_TEXT, bindparam("lower")])),
)


def read(session: Session, text: str | None) -> Search:
    """Says what a text is. One statement, none for an empty one."""
    text = (text or "").strip()
    if not text or "\x00" in text:  # no column holds it, and no driver takes it
        return Search(text, "words" if text else "nothing")
    found = _EXACT.ask(session, {
        "text": text, "upper": text.upper(), "lower": text.lower(), "numbered": f"{NUMBER_PREFIX}{text}",
        "sscc": _sscc(text),
    })  # fmt: skip
    skus = [row.sku for row in found.pop("sku")]
    numbers = tuple(dict.fromkeys(row.number for rows in found.values() for row in rows))
    if numbers:
        return Search(text, "code", numbers[:_MOST_CODES])
    if skus:
        return Search(skus[0], "sku")
    if re.fullmatch(rf"{re.escape(NUMBER_PREFIX)}\d+", text.upper()):
        return Search(text, "number")
    if re.fullmatch(r"\d+", text):
        return Search(text, "digits")
    return Search(text, "email" if "@" in text and " " not in text else "words")


def _sscc(text: str) -> str:
    """The 18 digits of a parcel's code, also as a scanner gives it with its application identifier 00."""
    digits = re.sub(r"[\s()]", "", text)
    return digits[2:] if len(digits) == 20 and digits.startswith("00") else digits


def _any_column(word: str) -> ColumnElement[bool]:
    o = shop.Order
    return or_(*(_holds(column, word) for column in (o.customer_name, o.city, o.email, o.order_ref,
                                                     Instance.business_key)))


def _holds(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a column holds the text, in any case."""
    if "\x00" in text:
        return false()
    found = func.lower(column).like(f"%{_escaped(text.lower())}%", escape="\\")
    if text.isascii():
        return found
    return or_(found, column.like(f"%{_escaped(text)}%", escape="\\"))  # SQLite lowers no letter beyond ASCII


def _begins(column: Any, number: str) -> ColumnElement[bool]:
    """Whether an order number begins so. A range, which a plain index serves in every collation: digits sort as
    digits everywhere."""
    stem = number.rstrip("9")
    after = f"{stem[:-1]}{int(stem[-1]) + 1}" if stem[-1].isdigit() else f"{stem}a"  # after 9, a letter
    return and_(column >= number, column < after, column.like(f"{_escaped(number)}%", escape="\\"))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
