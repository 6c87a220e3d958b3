"""Times as people read and type them, in their time zone and by their locale."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from babel.core import Locale
from babel.dates import format_date, format_skeleton, format_time

from handlers.contract import WaybillError
from web.local import PLAIN
from web.texts import N_, _, ngettext

Group = Literal["Late", "Today", "Tomorrow", "Later"]
GROUPS = (N_("Late"), N_("Today"), N_("Tomorrow"), N_("Later"), N_("No due time"))
_MACHINE_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)(?!\d)")
_DATES = {"en": Locale.parse("en_GB")}
"""Plain English names no region: it writes the day before the month and counts 24 hours, as most of the world does.
`en_US` writes them the American way."""
_YEARS = range(1000, 9999)
"""Typed years; others may lie outside the calendar in the zone of whoever reads the moment later."""


class WrongTime(WaybillError):
    """A typed date or time that is none."""


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


def duration(span: timedelta) -> str:
    """`25 min`, `2 h 10 min`, `3 days`."""
    minutes = int(abs(span).total_seconds() // 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 60:
        return _("%(minutes)s min", minutes=minutes)
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        if rest and hours < 10:
            return _("%(hours)s h %(minutes)s min", hours=hours, minutes=rest)
        return _("%(hours)s h", hours=hours)
    return ngettext("%(num)s day", "%(num)s days", hours // 24)


@dataclass(frozen=True, slots=True)
class Times:
    """Writes times as seen from now, and reads what was typed, in one zone."""

    now: datetime
    zone: tzinfo = UTC
    locale: Locale = field(default=PLAIN.locale)

    @property
    def zone_name(self) -> str:
        """`UTC`, `Berlin, UTC+1`: the place that names the zone, and how far its clocks are from UTC now."""
        key = str(getattr(self.zone, "key", "UTC"))
        if key == "UTC":
            return key
        minutes = int((self.local(self.now).utcoffset() or timedelta(0)).total_seconds() // 60)
        hours, rest = divmod(abs(minutes), 60)
        away = f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
        return f"{key.rpartition('/')[2].replace('_', ' ')}, {away}"

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    # --- written ---------------------------------------------------------------------------------------------------

    def clock(self, at: datetime) -> str:
        """`14:30`."""
        return self._clock(at, "short")

    def seconds(self, at: datetime) -> str:
        """`14:30:05`."""
        return self._clock(at, "medium")

    def _clock(self, at: datetime, form: Literal["short", "medium"]) -> str:
        """In the hour that comes twice when clocks go back, with the name that tells which of the two it is."""
        there = self.local(at)
        text = str(format_time(there.time(), form, locale=self._dates))
        twice = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()
        return f"{text} {there.tzname()}" if twice else text

    @property
    def _dates(self) -> Locale:
        return _DATES.get(str(self.locale), self.locale)

    def _day(self, day: date, skeleton: str) -> str:
        return str(format_skeleton(skeleton, datetime.combine(day, time()), locale=self._dates))

    def is_today(self, at: datetime) -> bool:
        return self._days_away(at) == 0

    def _days_away(self, at: datetime) -> int:
        return (self.local(at).date() - self.local(self.now).date()).days

    def day(self, at: datetime) -> str:
        """`Today`, `Tomorrow`, `Yesterday`, `Tue`, `24 Nov`, `24 Nov 2025`."""
        there, days = self.local(at).date(), self._days_away(at)
        named = {0: N_("Today"), 1: N_("Tomorrow"), -1: N_("Yesterday")}.get(days)
        if named:
            return _(named)
        if 0 < days < 7:
            return self._day(there, "E")
        return self._day(there, "MMMd" if there.year == self.local(self.now).year else "yMMMd")

    def when(self, at: datetime) -> str:
        """`14:30` today, else with its day: `23 Nov, 14:30`."""
        return self.clock(at) if self.is_today(at) else self._joined(self.day(at), at)

    def stamp(self, at: datetime) -> str:
        """`Mon 23 Nov, 08:31`."""
        return self._joined(self.short_day(at), at)

    def _joined(self, day: str, at: datetime) -> str:
        """A day and its time, in the order of the locale."""
        return str(self._dates.datetime_formats["medium"]).replace("{1}", day).replace("{0}", self.clock(at))

    def short_day(self, at: date) -> str:
        """`Mon 23 Nov`."""
        return self._day(self._date(at), "MMMEd")

    def long_day(self, at: date) -> str:
        """`Monday 23 November`."""
        pattern = str(self._dates.datetime_skeletons["MMMEd"].pattern)
        pattern = re.sub("E+", "EEEE", pattern).replace("MMM", "MMMM")
        return str(format_date(self._date(at), pattern, locale=self._dates))

    def _date(self, at: date) -> date:
        return self.local(at).date() if isinstance(at, datetime) else at

    def since(self, at: datetime) -> str:
        """How long ago: `12 min`."""
        return duration(self.now.astimezone(UTC) - at.astimezone(UTC))

    def due(self, at: datetime) -> Due:
        """How a due time reads now."""
        left = at.astimezone(UTC) - self.now.astimezone(UTC)
        full = _("%(day)s %(time)s", day=self.day(at), time=self.clock(at))
        if left < timedelta(0):
            rest = _("%(span)s late", span=duration(left))
            return Due(rest, full, rest, late=True, group="Late")
        rest, days = _("in %(span)s", span=duration(left)), self._days_away(at)
        if days == 0:
            soon = _("%(time)s, %(rest)s", time=self.clock(at), rest=rest)
            return Due(soon if left < timedelta(hours=2) else self.clock(at), full, rest, late=False, group="Today")
        if days == 1:
            there = self._day(self.local(at).date(), "E")
            text = _("%(day)s %(time)s", day=there, time=self.clock(at))
            return Due(text, full, rest, late=False, group="Tomorrow")
        return Due(full, full, rest, late=False, group="Later")

    def in_text(self, text: object) -> str:
        """A text of somebody's, with the times in it that a machine wrote as people read them."""
        return _MACHINE_TIME.sub(self._readable, str(text))

    def _readable(self, found: re.Match[str]) -> str:
        try:
            at = datetime.fromisoformat(found[0].upper())
        except ValueError:
            return found[0]
        return self.stamp(at) if at.tzinfo else found[0]

    # --- for machines, and read back ---------------------------------------------------------------------------------

    def iso(self, at: datetime) -> str:
        """For the `datetime` attribute."""
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def typed(self, at: datetime) -> str:
        """What an `<input type="datetime-local">` starts with; `read` takes it back to the same minute."""
        return self.local(at).strftime("%Y-%m-%dT%H:%M")

    def read(self, typed: str) -> datetime:
        """A typed date and time as a moment. Of an hour that comes twice, the first is meant.

        WrongTime when it is none, lies in the hour that is left out when clocks go forward, or is far away.
        """
        try:
            there = datetime.fromisoformat(typed.strip())
        except ValueError:
            raise WrongTime(_("This is no date with a time. Write it as 2026-11-23 14:30.")) from None
        at = self._moment(there)
        if there.tzinfo is not None:
            return at
        if self.local(at).replace(tzinfo=None) != there:
            raise WrongTime(_("Clocks go forward then, and this time is left out. Choose a later one."))
        return at

    def read_day(self, typed: str) -> date:
        """A typed date. WrongTime when it is none."""
        try:
            return date.fromisoformat(typed.strip())
        except ValueError:
            raise WrongTime(_("This is no date. Write it as 2026-11-23.")) from None

    def _moment(self, there: datetime) -> datetime:
        if there.year not in _YEARS:
            raise WrongTime(_("This date is too far away."))
        return (there if there.tzinfo else there.replace(tzinfo=self.zone)).astimezone(UTC)

    def today(self) -> date:
        return self.local(self.now).date()

    def day_start(self, day: date | None = None) -> datetime:
        """When a day begins here; by default today. WrongTime when it is far away."""
        return self._moment(datetime.combine(day or self.today(), time()))

    def day_end(self, day: date | None = None) -> datetime:
        """When a day ends here, 23, 24 or 25 hours after it began; by default today. WrongTime when it is far away."""
        day = day or self.today()
        if day.year not in _YEARS:
            raise WrongTime(_("This date is too far away."))
        return self.day_start(day + timedelta(days=1))
