"""What people read for the codes that tables, diagrams and API use: the process template's words, to the letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PAYMENT_METHODS: Final = {"credit_card": "Credit Card", "paypal": "PayPal", "bank_transfer": "Bank Transfer"}
SHIPPING_METHODS: Final = {
    "standard": "Standard Shipping",
    "express": "Express Shipping",
    "overnight": "Overnight Shipping",
}
REGIONS: Final = {"north_america": "North America", "europe": "Europe", "malaysia": "Malaysia"}
COURIERS: Final = {f"courier_{letter}": f"Courier {letter.upper()}" for letter in "abcde"}
FOLLOW_UPS: Final = {
    "request_feedback": "Request Feedback",
    "offer_discount": "Offer Discount for Next Purchase",
    "encourage_review": "Encourage Product Review",
}


def word(words: Mapping[str, str], code: str) -> str:
    """The word for a code; a code nobody has a word for (a courier added later) is shown as a word made of it."""
    return words.get(code) or code.replace("_", " ").title()
