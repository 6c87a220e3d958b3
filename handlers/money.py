"""Money is a whole number of minor units and an ISO 4217 currency; decimals exist only where people read and write.

Rounding is half up everywhere (half away from zero), once per amount that is written down: a discount per line, a tax
per invoice on the sum of its lines. A part of an amount that was rounded before (a credit of some pieces of a line) is
the difference of two shares of the whole, so that all parts together are the whole to the cent.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TypedDict

from babel import Locale
from babel.numbers import format_currency, get_currency_precision

_CURRENCIES = frozenset(Locale("en").currencies)
_CODE_BEFORE_DIGIT = re.compile(r"(?<=[A-Z])(?=\d)")


class MoneyJson(TypedDict):
    """An amount as the API shows it: `{"amount": 12999, "currency": "USD"}`."""

    amount: int
    currency: str


def is_currency(code: str) -> bool:
    """Whether this is an ISO 4217 code in capitals."""
    return code in _CURRENCIES


def precision(currency: str) -> int:
    """How many decimals the currency has: 2 for USD, 0 for JPY. ValueError when there is no such currency."""
    if not is_currency(currency):
        raise ValueError(f"There is no currency “{currency[:10]}”. Give an ISO 4217 code such as USD.")
    return get_currency_precision(currency)


def to_decimal(amount: int, currency: str) -> Decimal:
    """Minor units → main unit: 150654 USD → Decimal("1506.54")."""
    return Decimal(amount).scaleb(-precision(currency))


def to_text(amount: int, currency: str) -> str:
    """The decimal as files carry it, without a sign of the currency: 1400 USD → `14.00`."""
    return f"{to_decimal(amount, currency):f}"


def parse(text: str, currency: str) -> int:
    """A decimal of a file in the main unit → minor units: `14.00` USD → 1400.

    ValueError, with a sentence for the person, when it is no plain number or finer than the currency.
    """
    places = precision(currency)
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) >= Decimal(10) ** 15:
        raise ValueError(f"“{text[:30]}” is not an amount. Write it as a decimal such as 14.00.")
    minor = value.scaleb(places)
    if minor != minor.to_integral_value():
        raise ValueError(f"“{text[:30]}” is finer than {currency}, which has {places} decimals.")
    return int(minor)


def format_money(amount: int, currency: str) -> str:
    """An amount for people, in the pages' language: 150654 USD → `$1,506.54`, 12900 MYR → `MYR 129.00`."""
    written = format_currency(to_decimal(amount, currency), currency, locale="en_US").replace("\xa0", " ")
    return _CODE_BEFORE_DIGIT.sub(" ", written)


def as_json(amount: int, currency: str) -> MoneyJson:
    """An amount as the API shows it."""
    return {"amount": amount, "currency": currency}


def share(amount: int, part: int, whole: int) -> int:
    """`amount × part ÷ whole`, rounded half up. `whole` is positive."""
    doubled = 2 * amount * part
    magnitude = (abs(doubled) + whole) // (2 * whole)
    return magnitude if doubled >= 0 else -magnitude


def percentage(amount: int, basis_points: int) -> int:
    """That many basis points of an amount (2000 is 20 %), rounded half up."""
    return share(amount, basis_points, 10_000)


def format_rate(basis_points: int) -> str:
    """A rate for people: 2000 → `20%`, 810 → `8.1%`, 1250 → `12.5%`."""
    return f"{Decimal(basis_points).scaleb(-2).normalize():f}%"
