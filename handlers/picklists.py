"""The pick lists of the process: the codes that forms, API and files carry, and the template's words for them."""

from __future__ import annotations

from collections.abc import Mapping

from handlers.contract import Choice

REGIONS = {"north_america": "North America", "europe": "Europe", "malaysia": "Malaysia"}
"""Where stock lies."""
PAYMENT_METHODS = {"credit_card": "Credit Card", "paypal": "PayPal", "bank_transfer": "Bank Transfer"}
SHIPPING_METHODS = {"standard": "Standard Shipping", "express": "Express Shipping", "overnight": "Overnight Shipping"}
FOLLOW_UPS = {
    "request_feedback": "Request Feedback",
    "offer_discount": "Offer Discount for Next Purchase",
    "encourage_review": "Encourage Product Review",
}
COURIERS = {f"courier_{letter}": f"Courier {letter.upper()}" for letter in "abcde"}


def choices(words: Mapping[str, str]) -> tuple[Choice, ...]:
    """A pick list for a form."""
    return tuple(Choice(code, label) for code, label in words.items())
