"""The pick lists of the process as forms show them."""

from __future__ import annotations

from collections.abc import Mapping

from handlers.contract import Choice
from handlers.words import COURIERS, FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS

__all__ = ["COURIERS", "FOLLOW_UPS", "PAYMENT_METHODS", "REGIONS", "SHIPPING_METHODS", "choices"]


def choices(words: Mapping[str, str]) -> tuple[Choice, ...]:
    """A pick list for a form."""
    return tuple(Choice(code, label) for code, label in words.items())
