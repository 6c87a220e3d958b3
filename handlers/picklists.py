"""The pick lists of the process as forms show them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from handlers.contract import Choice
from handlers.countries import by_name
from handlers.words import COURIERS, FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS

__all__ = ["COURIERS", "FOLLOW_UPS", "PAYMENT_METHODS", "REGIONS", "SHIPPING_METHODS", "choices", "countries"]


def choices(words: Mapping[str, str]) -> tuple[Choice, ...]:
    """A pick list for a form."""
    return tuple(Choice(code, label) for code, label in words.items())


@cache
def countries() -> tuple[Choice, ...]:
    """Every country by name; the value is its ISO 3166-1 alpha-2 code."""
    return tuple(Choice(code, name) for code, name in by_name())
