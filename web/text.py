"""How money, numbers and codes are written for people, by the reader's locale. Times are in `web.times`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps
from typing import Any

from babel.numbers import format_currency, format_decimal, get_currency_precision
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from engine.tasklists import MOST_COUNTED
from handlers.picklists import COURIERS, FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS
from web.local import local
from web.texts import N_, _

_SOURCES = {"api": N_("API"), "page": N_("Page"), "file": N_("File")}
LABELS: dict[str, str] = {
    **_SOURCES,
    **PAYMENT_METHODS,
    **SHIPPING_METHODS,
    **REGIONS,
    **COURIERS,
    **FOLLOW_UPS,
}
"""What a code is called, in English."""

_STATES = {
    "open": N_("Open"),
    "cancelling": N_("Being cancelled"),
    "closed": N_("Closed"),
    "cancelled": N_("Cancelled"),
}
_REPORTS = {
    "picked_up": N_("Picked up"),
    "on_the_way": N_("On its way"),
    "delayed": N_("Delayed"),
    "out_for_delivery": N_("Out for delivery"),
    "delivered": N_("Delivered"),
    "lost": N_("Lost"),
    "refused": N_("Refused by the recipient"),
    "returned": N_("Returned"),
    "booked": N_("Booked"),
    "given_up": N_("Given up"),
    "cancelled": N_("Called off"),
}


def label(code: object) -> str:
    """The word for a code; a code without one loses its underscores."""
    text = str(code)
    return _(LABELS[text]) if text in LABELS else text.replace("_", " ").replace("-", " ").capitalize()


def bdi(text: object) -> Markup:
    """What somebody typed, so that its direction of writing turns nothing around it."""
    return Markup("<bdi>{}</bdi>").format(text)


def name(text: object) -> Markup:
    """The same in a list, cut with an ellipsis where it is long; the whole of it is the title."""
    return Markup('<bdi class="name" title="{0}">{0}</bdi>').format(text)


def state_word(state: str) -> str:
    """The word for an order's state."""
    return _(_STATES[state]) if state in _STATES else label(state)


def report_word(status: str) -> str:
    """The word for what a courier reported."""
    return _(_REPORTS[status]) if status in _REPORTS else label(status)


def money(amount: int, currency: str) -> str:
    """Minor units as people write them: 12999, USD → $129.99."""
    digits = get_currency_precision(currency)
    return str(format_currency(Decimal(amount).scaleb(-digits), currency, locale=local().locale))


def number(value: float) -> str:
    """1234 → 1,234."""
    return str(format_decimal(value, locale=local().locale))


def counted(value: int) -> str:
    """A count that stops at `MOST_COUNTED`: `12`, `999+`."""
    return f"{MOST_COUNTED - 1}+" if value >= MOST_COUNTED else str(value)


def weight(grams: int) -> str:
    """850 → 850 g, 1150 → 1.15 kg."""
    if grams < 1000:
        return _("%(grams)s g", grams=grams)
    return _("%(kilograms)s kg", kilograms=number(round(grams / 1000, 2)))


def size(count: int) -> str:
    """Bytes for people."""
    if count < 1024 * 1024:
        return _("%(size)s kB", size=number(max(1, round(count / 1024))))
    return _("%(size)s MB", size=number(round(count / 1024 / 1024, 1)))


def short_hash(digest: str) -> str:
    """The first eight digits of a hash in two groups, enough to compare by eye."""
    return f"{digest[:4]} {digest[4:8]}"


def filters() -> Mapping[str, Any]:
    """What templates may call as filters."""
    by_reader = (money, number, counted, weight, size, label, state_word, report_word)
    return {
        **{written.__name__: _when_read(written) for written in by_reader},
        "bdi": bdi,
        "name": name,
        "short_hash": short_hash,
    }


def _when_read(written: Callable[..., str]) -> Callable[..., str]:
    """Jinja would work out a filter on a constant once, for whoever comes first; one that asks for the context it
    calls on every page."""

    @pass_context
    @wraps(written)
    def called(_context: Context, *values: Any) -> str:
        return written(*values)

    return called
