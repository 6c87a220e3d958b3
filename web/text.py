"""How things are written for people: money, times, durations and the words for codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal

from babel.core import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, get_currency_precision
from markupsafe import Markup

from handlers.picklists import COURIERS, FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS
from web.accounts import TEAMS

LOCALE = Locale.parse("en_US")

_SOURCES = {"api": "API", "page": "Page", "file": "File"}
LABELS: dict[str, str] = {
    **_SOURCES,
    **PAYMENT_METHODS,
    **SHIPPING_METHODS,
    **REGIONS,
    **COURIERS,
    **FOLLOW_UPS,
    **TEAMS,
}
"""What a code is called."""

_STATES = {"open": "Open", "cancelling": "Being cancelled", "closed": "Closed", "cancelled": "Cancelled"}
_REPORTS = {
    "picked_up": "Picked up",
    "on_the_way": "On its way",
    "delayed": "Delayed",
    "out_for_delivery": "Out for delivery",
    "delivered": "Delivered",
    "lost": "Lost",
    "refused": "Refused by the recipient",
    "returned": "Returned",
    "booked": "Booked",
    "given_up": "Given up",
    "cancelled": "Called off",
}

_MACHINE_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)(?!\d)")
Group = Literal["Late", "Today", "Tomorrow", "Later"]


@dataclass(frozen=True, slots=True)
class Due:
    """How a due time reads now."""

    text: str
    """For the list: `25 min late`, `14:30, in 1 h 5 min`, `Tue 09:00`."""
    full: str
    """With its day: `Today 14:30`."""
    rest: str
    """`in 1 h 5 min`, `25 min late`."""
    late: bool
    group: Group


def label(code: object) -> str:
    """The word for a code; a code without one loses its underscores."""
    text = str(code)
    return LABELS.get(text) or text.replace("_", " ").replace("-", " ").capitalize()


def bdi(text: object) -> Markup:
    """What somebody typed, so that its direction of writing turns nothing around it."""
    return Markup("<bdi>{}</bdi>").format(text)


def name(text: object) -> Markup:
    """The same in a list, cut with an ellipsis where it is long; the whole of it is the title."""
    return Markup('<bdi class="name" title="{0}">{0}</bdi>').format(text)


def state_word(state: str) -> str:
    """The word for an order's state."""
    return _STATES.get(state, label(state))


def report_word(status: str) -> str:
    """The word for what a courier reported."""
    return _REPORTS.get(status, label(status))


def money(amount: int, currency: str) -> str:
    """Minor units as people write them: 12999, USD → $129.99."""
    digits = get_currency_precision(currency)
    return str(format_currency(Decimal(amount).scaleb(-digits), currency, locale=LOCALE))


def number(value: float) -> str:
    """1234 → 1,234."""
    return str(format_decimal(value, locale=LOCALE))


def weight(grams: int) -> str:
    """850 → 850 g, 1150 → 1.15 kg."""
    return f"{grams} g" if grams < 1000 else f"{number(round(grams / 1000, 2))} kg"


def size(count: int) -> str:
    """Bytes for people."""
    return f"{max(1, round(count / 1024))} kB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MB"


def short_hash(digest: str) -> str:
    """The first eight digits of a hash in two groups, enough to compare by eye."""
    return f"{digest[:4]} {digest[4:8]}"


def duration(span: timedelta) -> str:
    """`25 min`, `2 h 10 min`, `3 days`."""
    minutes = int(abs(span).total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    days = hours // 24
    return "1 day" if days == 1 else f"{days} days"


@dataclass(frozen=True, slots=True)
class Times:
    """Writes times as seen from now, in the zone of the house."""

    now: datetime
    zone: tzinfo = UTC

    @property
    def zone_name(self) -> str:
        return str(self.now.astimezone(self.zone).tzname() or "UTC")

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def day_end(self) -> datetime:
        """When today ends."""
        midnight = self.local(self.now).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)

    def clock(self, at: datetime) -> str:
        """`14:30`."""
        return self.local(at).strftime("%H:%M")

    def seconds(self, at: datetime) -> str:
        """`14:30:05`."""
        return self.local(at).strftime("%H:%M:%S")

    def day(self, at: datetime) -> str:
        """`Today`, `Tomorrow`, `Yesterday`, `Tue`, `24 Nov`, `24 Nov 2025`."""
        there, here = self.local(at).date(), self.local(self.now).date()
        days = (there - here).days
        named = {0: "Today", 1: "Tomorrow", -1: "Yesterday"}.get(days)
        if named:
            return named
        if 0 < days < 7:
            return there.strftime("%a")
        return f"{there.day} {there:%b}" if there.year == here.year else f"{there.day} {there:%b %Y}"

    def when(self, at: datetime) -> str:
        """`14:30` today, else with its day: `23 Nov, 14:30`."""
        day = self.day(at)
        return self.clock(at) if day == "Today" else f"{day}, {self.clock(at)}"

    def stamp(self, at: datetime) -> str:
        """`Mon 23 Nov, 08:31`."""
        there = self.local(at)
        return f"{there:%a} {there.day} {there:%b}, {there:%H:%M}"

    def long_day(self, at: date) -> str:
        """`Tuesday, 24 November`."""
        day = self.local(at).date() if isinstance(at, datetime) else at
        return str(format_date(day, "EEEE, d MMMM", locale=LOCALE))

    def since(self, at: datetime) -> str:
        """How long ago: `12 min`."""
        return duration(self.now - at)

    def due(self, at: datetime) -> Due:
        """How a due time reads now."""
        left = at - self.now
        if left < timedelta(0):
            rest = f"{duration(left)} late"
            return Due(rest, f"{self.day(at)} {self.clock(at)}", rest, late=True, group="Late")
        rest = f"in {duration(left)}"
        day = self.day(at)
        full = f"{day} {self.clock(at)}"
        if day == "Today":
            text = f"{self.clock(at)}, {rest}" if left < timedelta(hours=2) else self.clock(at)
            return Due(text, full, rest, late=False, group="Today")
        text = f"{self.local(at):%a} {self.clock(at)}" if day == "Tomorrow" else full
        return Due(text, full, rest, late=False, group="Tomorrow" if day == "Tomorrow" else "Later")

    def in_text(self, text: object) -> str:
        """A text of somebody's, with the times in it that a machine wrote as people read them."""
        return _MACHINE_TIME.sub(self._readable, str(text))

    def _readable(self, found: re.Match[str]) -> str:
        try:
            at = datetime.fromisoformat(found[0].upper())
        except ValueError:
            return found[0]
        return self.stamp(at) if at.tzinfo else found[0]

    def iso(self, at: datetime) -> str:
        """For the `datetime` attribute."""
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def filters() -> Mapping[str, Any]:
    """What templates may call as filters."""
    return {
        "money": money,
        "number": number,
        "weight": weight,
        "size": size,
        "label": label,
        "bdi": bdi,
        "name": name,
        "state_word": state_word,
        "report_word": report_word,
        "short_hash": short_hash,
    }
