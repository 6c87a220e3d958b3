"""What somebody looks for among the orders: first what kind of thing it is, then a condition that an index can serve.

Codes (numbers, references, tracking numbers, SSCCs) are looked up exactly, each in its own index, in one statement.
What is no code is looked for as a number's beginning, a SKU, or the beginnings of words (`handlers.order_words`).
Whether it is rare is found out too: few orders are looked up first, many are met on the way through a list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, and_, bindparam, false, func, literal_column, select
from sqlalchemy.orm import Session

from engine import Engine
from engine.store.tables import Instance
from engine.tasklists import Found
from handlers import tables as shop
from handlers.order_words import words
from handlers.orders import NUMBER_PREFIX
from web.texts import N_, _
from web.together import Together

Kind = Literal["nothing", "code", "sku", "number", "digits", "email", "words"]
FEW = 2000
"""Orders up to which a search is looked up before the list that it narrows."""
_MOST_WORDS = 6
_LAST = "\U0010ffff"
"""Comes after every character that a word may hold."""
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
    words: tuple[str, ...] = ()
    """Beginnings of words, the rarest first."""
    rare: bool = True
    """At most `FEW` orders fit the rarest word, or the SKU."""

    @property
    def only(self) -> str | None:
        """The one order that is named exactly, or None."""
        return self.numbers[0] if len(self.numbers) == 1 else None

    @property
    def looked_at(self) -> str:
        """Where was looked, for somebody who has found nothing."""
        parts = [_(_CODES), *([_(_LOOKED_AT[self.kind])] if self.kind in _LOOKED_AT else [])]
        return "; ".join(parts)

    def condition(self, key: Any = Instance.business_key) -> ColumnElement[bool] | None:
        """What the orders must fulfil, asked of the column that holds their number; None: nothing is looked for."""
        match self.kind:
            case "nothing":
                return None
            case "code":
                return cast("ColumnElement[bool]", key.in_(self.numbers))
            case "number":
                return _begins(key, self.text.upper())
            case "sku":
                line = shop.OrderLine
                return _among(key, line.order_number, line.sku == self.text, rare=self.rare)
            case _:
                if not self.words:
                    return false()
                named, first = shop.OrderWord.order_number, self.words[0]
                return and_(_among(key, named, _word_begins(first), rare=self.rare),
                            *(_among(key, named, _word_begins(word), rare=False) for word in self.words[1:]))

    def condition_of(self, key: Any) -> ColumnElement[bool]:
        """The same of a search that looks for something."""
        condition = self.condition(key)
        return false() if condition is None else condition

    def orders(self, session: Session) -> tuple[str, ...] | None:
        """The numbers of the orders, when they are at most `FEW`. At most one statement."""
        if self.kind == "code":
            return self.numbers
        wanted = self.condition()
        if wanted is None or not self.rare:
            return None
        found = session.scalars(select(Instance.business_key).where(wanted).limit(FEW + 1)).all()
        return tuple(found) if len(found) <= FEW else None


def tasks_found(engine: Engine, text: str) -> Found:
    """What a search of the inbox means: orders, and tasks by their name. Three statements."""
    with engine.reading() as session:
        search = read(session, text)
        few = search.orders(session)
    return Found(engine.task_names(text), search.condition_of if few is None else few)


_TEXT: Any = bindparam("text")
_UPPER: Any = bindparam("upper")
_NUMBERED: Any = bindparam("numbered")
_SSCC: Any = bindparam("sscc")


def _named(column: Any, condition: ColumnElement[bool]) -> Any:
    return select(column.label("number")).where(condition)


def _counted(condition: ColumnElement[bool]) -> Any:
    """How many there are, counted to `FEW` and one more."""
    some = select(literal_column("1")).where(condition).limit(FEW + 1).subquery()
    return select(func.count().label("number")).select_from(some)


_WORDS = tuple(f"word{place}" for place in range(_MOST_WORDS))
_ASKED = Together(
    number=_named(Instance.business_key, Instance.business_key.in_([_TEXT, _UPPER, _NUMBERED])),
    reference=_named(shop.Order.number, shop.Order.order_ref.in_([_TEXT, _UPPER])),
    invoice=_named(shop.Invoice.order_number, shop.Invoice.number == _UPPER),
    tracking=_named(shop.Shipment.order_number, shop.Shipment.tracking_number.in_([_TEXT, _UPPER])),
    booking=_named(shop.Shipment.order_number, shop.Shipment.reference.in_([_TEXT, _UPPER])),
    parcel=_named(shop.Parcel.order_number, shop.Parcel.sscc == _SSCC),
    payment=_named(shop.Payment.order_number, shop.Payment.reference.in_([_TEXT, _UPPER])),
    sku=select(shop.Product.sku).where(shop.Product.sku.in_([_TEXT, bindparam("lower")])),
    sold=_counted(shop.OrderLine.sku.in_([_TEXT, bindparam("lower")])),
    **{name: _counted(and_(shop.OrderWord.word >= bindparam(name), shop.OrderWord.word < bindparam(f"{name}_to")))
       for name in _WORDS},
)


def read(session: Session, text: str | None) -> Search:
    """Says what a text is. One statement, none for an empty one."""
    text = (text or "").strip()
    if not text or "\x00" in text:  # no column holds it, and no driver takes it
        return Search(text, "words" if text else "nothing")
    typed = words(text)[:_MOST_WORDS]
    slots = dict(zip(_WORDS, (*typed, *("" for _ in _WORDS)), strict=False))
    found = _ASKED.ask(session, {
        "text": text, "upper": text.upper(), "lower": text.lower(), "numbered": f"{NUMBER_PREFIX}{text}",
        "sscc": _sscc(text), **slots, **{f"{name}_to": word and word + _LAST for name, word in slots.items()},
    })  # fmt: skip
    skus = [row.sku for row in found.pop("sku")]
    sold = found.pop("sold")[0].number
    often = {slots[name]: found.pop(name)[0].number for name in _WORDS}
    numbers = tuple(dict.fromkeys(row.number for rows in found.values() for row in rows))
    if numbers:
        return Search(text, "code", numbers[:_MOST_CODES])
    if skus:
        return Search(skus[0], "sku", rare=sold <= FEW)
    if re.fullmatch(rf"{re.escape(NUMBER_PREFIX)}\d*", text.upper()):
        return Search(text, "number")
    kind: Kind = "digits" if re.fullmatch(r"\d+", text) else "email" if "@" in text and " " not in text else "words"
    rarest = tuple(sorted(typed, key=lambda word: often[word]))
    return Search(text, kind, words=rarest, rare=not rarest or often[rarest[0]] <= FEW)


def _sscc(text: str) -> str:
    """The 18 digits of a parcel's code, also as a scanner gives it with its application identifier 00."""
    digits = re.sub(r"[\s()]", "", text)
    return digits[2:] if len(digits) == 20 and digits.startswith("00") else digits


def _among(key: Any, number: Any, condition: ColumnElement[bool], *, rare: bool) -> ColumnElement[bool]:
    """Whether a row of that order fulfils the condition: few are gathered first, many are looked at as they come."""
    if rare:
        return cast("ColumnElement[bool]", key.in_(select(number).where(condition)))
    return select(literal_column("1")).where(number == key, condition).exists()


def _word_begins(text: str) -> ColumnElement[bool]:
    return and_(shop.OrderWord.word >= text, shop.OrderWord.word < text + _LAST)


def _begins(column: Any, number: str) -> ColumnElement[bool]:
    """Whether an order number begins so. A range, which a plain index serves in every collation: digits sort as
    digits everywhere."""
    stem = number.rstrip("9")
    after = f"{stem[:-1]}{int(stem[-1]) + 1}" if stem[-1].isdigit() else f"{stem}a"  # after 9, a letter
    return and_(column >= number, column < after, column.like(f"{_escaped(number)}%", escape="\\"))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
