"""What banks, couriers and suppliers report to the shop: which messages there are, and what each must say.

Checked at the edge, before a message is stored: a fault is the sender's to put right, and a message with a fault would
wait for ever in an order that cannot use it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from handlers.contract import FieldError, Problem

TRANSFER: Final = "bank.transfer_received"
PICKED_UP: Final = "courier.picked_up"
REPORTED: Final = "courier.reported"
STOCK_ARRIVED: Final = "stock.arrived"

STATUSES: Final = (
    "picked_up", "on_the_way", "delayed", "out_for_delivery", "delivered", "lost", "refused", "returned",
)  # fmt: skip
"""What a courier may report; as in `handlers.tables.TrackingReport.status`."""

_MOST_BYTES = 4096
_MOST_MONEY = 10**12
_CURRENCY = re.compile(r"[A-Z]{3}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


class _Faults:
    """Collects what is wrong with a payload, field by field."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self.payload = payload
        self.found: list[FieldError] = []

    def add(self, name: str, message: str) -> None:
        self.found.append(FieldError(f"/payload/{name}", message))

    def text(self, name: str, longest: int, *, required: bool = False) -> None:
        value = self.payload.get(name)
        if value is None and not required:
            return
        if value is None:
            self.add(name, "This field is required.")
        elif not isinstance(value, str):
            self.add(name, "This must be a text.")
        elif required and not value.strip():
            self.add(name, "This must not be empty.")
        elif len(value) > longest:
            self.add(name, f"At most {longest} characters.")
        elif any(ord(c) < 32 and c not in "\t\n\r" for c in value):
            self.add(name, "This text holds a control character.")

    def time(self, name: str) -> None:
        value = self.payload.get(name)
        if value is not None and not (isinstance(value, str) and is_time(value)):
            self.add(name, "This must be a time as RFC 3339 writes it, such as 2026-11-23T09:06:00Z.")


def is_time(text: str) -> bool:
    """Whether `text` is a time with date, seconds and zone, as RFC 3339 writes it."""
    if not _RFC3339.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def check_message(name: str, payload: Mapping[str, Any], *, message_id: str) -> Mapping[str, Any]:
    """The payload as it is stored: a transfer without a reference of the bank's gets the message's id, its own anyway.

    Problem: names each field of the payload, below `/payload`, that this message cannot have so.

    A message that the shop does not know may hold anything. Further fields are allowed: senders add some.
    """
    rule = _RULES.get(name)
    if rule is None:
        return payload
    if name == TRANSFER and "reference" not in payload:
        payload = {**payload, "reference": message_id}
    if len(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")) > _MOST_BYTES:
        raise Problem(FieldError("/payload", f"At most {_MOST_BYTES} bytes."))
    faults = _Faults(payload)
    rule(faults)
    if faults.found:
        raise Problem(*faults.found)
    return payload


def _transfer(faults: _Faults) -> None:
    amount = faults.payload.get("amount")
    if amount is None:
        faults.add("amount", "This field is required.")
    elif not isinstance(amount, int) or isinstance(amount, bool):
        faults.add("amount", "This must be a whole number of minor units, such as 3552 for 35.52.")
    elif not 0 < amount <= _MOST_MONEY:
        faults.add("amount", f"This must be more than 0 and at most {_MOST_MONEY}.")
    currency = faults.payload.get("currency")
    if not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        faults.add("currency", "This must be a currency's three letters, such as EUR.")
    faults.text("reference", 120, required=True)
    faults.text("payer", 200)


def _picked_up(faults: _Faults) -> None:
    faults.text("booking", 60, required=True)
    faults.time("at")
    faults.text("driver", 120)


def _reported(faults: _Faults) -> None:
    faults.text("booking", 60)  # without one, the report is about the booking that stands
    if faults.payload.get("status") not in STATUSES:
        faults.add("status", f"This must be one of {', '.join(STATUSES)}.")
    faults.time("at")
    faults.text("place", 120)
    faults.text("note", 300)


def _arrived(faults: _Faults) -> None:
    """Anything small: that stock came is all that is used of it."""


_RULES: Mapping[str, Callable[[_Faults], None]] = {
    TRANSFER: _transfer,
    PICKED_UP: _picked_up,
    REPORTED: _reported,
    STOCK_ARRIVED: _arrived,
}
