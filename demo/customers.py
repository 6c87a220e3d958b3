"""Simulated customers: what they order, how they pay, and the mistakes they make in their details."""

from __future__ import annotations

from typing import Any

from demo.dice import Dice

_PEOPLE = (
    ("Mia Tanaka", "+1 212 736 3100", "350 Fifth Avenue", "New York", "NY", "10118", "US"),
    ("Sofia Marques", "+1 415 555 2671", "1 Market Street", "San Francisco", "CA", "94105", "US"),
    ("Liam Walker", "+1 312 744 5000", "121 North LaSalle Street", "Chicago", "IL", "60602", "US"),
    ("Emma Roy", "+1 416 392 2489", "100 Queen Street West", "Toronto", "ON", "M5H 2N2", "CA"),
    ("Greta Meier", "+49 30 901820", "Unter den Linden 77", "Berlin", "", "10117", "DE"),
    ("Jonas Weber", "+49 40 428280", "Rathausmarkt 1", "Hamburg", "", "20095", "DE"),
    ("Anna Lindqvist", "+46 8 508 290 00", "Hantverkargatan 1", "Stockholm", "", "111 52", "SE"),
    ("Claire Dubois", "+33 4 72 10 30 30", "1 place de la Comédie", "Lyon", "", "69001", "FR"),
    ("Priya Nair", "+60 3 2617 6000", "Jalan Raja Laut", "Kuala Lumpur", "Kuala Lumpur", "50350", "MY"),
    ("Mei Tan", "+60 4 259 2020", "Jalan Padang Kota Lama", "George Town", "Pulau Pinang", "10200", "MY"),
    ("Marco Rossi", "+39 06 0606", "Piazza del Campidoglio 1", "Roma", "RM", "00186", "IT"),
    ("Lucia Ortega", "+34 915 29 82 10", "Calle de Montalbán 1", "Madrid", "Madrid", "28014", "ES"),
    ("Pieter de Vries", "+31 20 624 1111", "Amstel 1", "Amsterdam", "", "1011 PN", "NL"),
    ("Ama Boateng", "+44 20 7983 4000", "Kamal Chunchie Way", "London", "", "E16 1ZE", "GB"),
    ("Hugo Martin", "+32 2 279 22 11", "Grand-Place 1", "Bruxelles", "", "1000", "BE"),
    ("Siti Rahman", "+60 7 219 8000", "Jalan Dato Onn", "Johor Bahru", "Johor", "80000", "MY"),
)
"""Made-up people at the addresses of public buildings."""

_SHIPPING: dict[str, float] = {"standard": 60.0, "express": 30.0, "overnight": 10.0}
_PAYMENT: dict[str, float] = {"credit_card": 55.0, "paypal": 20.0, "bank_transfer": 25.0}
_TOKENS: dict[str, float] = {
    "tok_good": 78.0, "tok_declined_once": 6.0, "tok_insufficient_funds": 4.0, "tok_capture_declined": 1.0,
    "tok_lost_reply": 4.0, "tok_lost_reply_once_per_call": 2.0, "tok_unavailable_once": 4.0, "tok_refund_refused": 1.0,
}
"""How often a customer's card or account behaves how; see the embedded provider."""
_FOLLOW_UPS = ("request_feedback", "offer_discount", "encourage_review")
_MOST = 50
"""Times what a customer usually takes; of everything that many times, it still fits one order's parcels."""
_PRODUCTS = {"product-a": 6, "product-b": 3, "product-c": 4, "product-d": 2, "product-e": 12}
"""The demo's products, and the most that one customer usually takes."""


def order_form(dice: Dice, n: int) -> dict[str, Any]:
    """What the n-th customer orders, as the form of step 1."""
    name, phone, street, city, region, postal_code, country = dice.pick(_PEOPLE, n, "person")
    mailbox = "".join(c for c in name.lower().replace(" ", ".") if c.isalpha() or c == ".")
    method = dice.weigh(_PAYMENT, n, "payment")
    form: dict[str, Any] = {
        "name": name, "email": f"{mailbox}@customers.example", "phone": phone, "street": street, "city": city,
        "region": region, "postal_code": postal_code, "country": country, "items": _items(dice, n),
        "payment_method": method, "shipping_method": dice.weigh(_SHIPPING, n, "shipping"),
        "follow_up": dice.pick(_FOLLOW_UPS, n, "follow-up"),
    }
    if method != "bank_transfer":
        form["payment_token"] = dice.weigh(_TOKENS, n, "token")
    if dice.chance(0.12, n, "mistake"):
        _mistake(dice, n, form)
    return {field: value for field, value in form.items() if value != ""}


def _items(dice: Dice, n: int) -> list[dict[str, Any]]:
    skus = [sku for sku in _PRODUCTS if dice.chance(0.4, n, "takes", sku)] or ["product-a"]
    # now and then a firm orders more than one person may sign for, or more than a region has
    bulk: int = dice.weigh({1: 91.0, 9: 4.0, _MOST: 5.0}, n, "bulk")
    return [
        {"sku": sku, "quantity": dice.number(1, _PRODUCTS[sku], n, "quantity", sku) * bulk} for sku in skus
    ]


def _mistake(dice: Dice, n: int, form: dict[str, Any]) -> None:
    match dice.pick(("postal_code", "phone", "email"), n, "mistaken"):
        case "postal_code":
            form["postal_code"] = "1"
        case "phone":
            form["phone"] = "12345"
        case _:
            form["email"] = form["email"].replace("@", "@-")
