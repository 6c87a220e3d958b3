"""Timer texts of a diagram: ISO 8601 durations, cycles and dates, and when they fall due.

Pure functions of the times given; nothing here reads a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from engine.errors import ExpressionError

Kind = Literal["duration", "cycle", "date"]

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W"
    r"|(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,6})M)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,10}(?:\.\d{1,6})?)S)?)?)"
)
_CYCLE = re.compile(r"R(?P<times>\d{0,6})/(?:(?P<start>\d{4}-[^/]{1,40})/)?(?P<every>P[^/]{1,60})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})")
_LONGEST = timedelta(days=36_525)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time; months and years have the calendar's length, counted from where they start."""

    months: int
    rest: timedelta

    def after(self, start: datetime) -> datetime:
        """The time that lies this long after `start`."""
        if not self.months:
            return start + self.rest
        month = start.month - 1 + self.months
        year, month = start.year + month // 12, month % 12 + 1
        day = start.day
        while True:  # the 31st plus a month is the last day of the next
            try:
                return start.replace(year=year, month=month, day=day) + self.rest
            except ValueError:
                if day <= 28:
                    raise
                day -= 1


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer text that has been read. Made by `parse_timer`."""

    text: str
    kind: Kind
    repetitions: int | None
    """How often it fires: 1 for a duration or a date, None for a cycle without end."""
    duration: Duration | None
    date: datetime | None
    """Of a date: when. Of a cycle: when it begins, or None for one interval after the wait began."""

    def first(self, start: datetime) -> datetime:
        """When it fires first, if the wait began at `start` (aware)."""
        if self.date is not None:
            return self.date
        assert self.duration is not None
        return _bounded(self.text, self.duration, start)

    def next(self, previous: datetime, now: datetime) -> datetime:
        """The first firing of a cycle after the one due at `previous` that is still to come at `now`.

        Firings that were missed are passed over, so a cycle that missed its times fires once; `skipped` counts them.
        """
        return self._next(previous, now)[0]

    def skipped(self, previous: datetime, now: datetime) -> int:
        """How many firings `next` passes over: they count as done when the repetitions are limited."""
        return self._next(previous, now)[1]

    def _next(self, previous: datetime, now: datetime) -> tuple[datetime, int]:
        if self.kind != "cycle" or self.duration is None:
            raise ExpressionError(f"{self.text!r} fires once.")
        skipped = 0
        if not self.duration.months and now > previous:
            skipped = (now - previous) // self.duration.rest
        at = _bounded(self.text, self.duration, previous + skipped * self.duration.rest)
        while at <= now:
            skipped += 1
            at = _bounded(self.text, self.duration, at)
        return at, skipped


def plain_timer(text: str) -> str:
    """The timer text without the quotes that some editors want around it."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].strip()
    return text


def is_timer(text: str) -> bool:
    """True if the text is written as an ISO 8601 timer, quoted or not; False if it is an expression."""
    plain = plain_timer(text)
    return bool(re.fullmatch(r"P[\dYMWDTHS.]+|R\d*/.*|\d{4}-\d{2}-\d{2}.*", plain, re.DOTALL))


def quote_duration(text: str) -> str:
    """The timer text as the expression that SpiffWorkflow wants: `PT4H` becomes `"PT4H"`, an expression stays."""
    plain = plain_timer(text)
    return f'"{plain}"' if is_timer(text) and '"' not in plain else text.strip()


def parse_timer(text: str, kind: Kind) -> Timer:
    """Reads a timer text, quoted or not: `PT4H`, `R3/P3D`, `2026-01-01T00:00:00Z`.

    Raises ExpressionError with an example of what the kind needs.
    """
    plain = plain_timer(text)
    if kind == "duration":
        return Timer(plain, kind, 1, _duration(plain, plain), None)
    if kind == "date":
        return Timer(plain, kind, 1, None, _date(plain, plain))
    match = _CYCLE.fullmatch(plain)
    if match is None:
        raise ExpressionError(f"{plain[:60]!r} is not a cycle. Write how often and how far apart, for example R3/P3D.")
    every = _duration(match["every"], plain)
    if not every.months and every.rest < timedelta(seconds=1):
        raise ExpressionError(f"{plain[:60]!r} repeats without a pause. Write an interval of at least PT1S.")
    times = int(match["times"]) if match["times"] else None
    if times == 0:
        raise ExpressionError(f"{plain[:60]!r} never fires. Write how often, for example R3/P3D.")
    return Timer(plain, kind, times, every, _date(match["start"], plain) if match["start"] else None)


def _duration(text: str, whole: str) -> Duration:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ExpressionError(
            f"{whole[:60]!r} is not a duration. Write it as ISO 8601 says: PT4H for four hours, P3D for three days."
        )
    part = {name: float(value) if value else 0.0 for name, value in match.groupdict().items()}
    months = int(part["years"] * 12 + part["months"])
    rest = timedelta(
        weeks=part["weeks"], days=part["days"], hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"]
    )
    if rest + timedelta(days=31 * months) > _LONGEST:
        raise ExpressionError(f"{whole[:60]!r} is longer than a hundred years.")
    return Duration(months, rest)


def _date(text: str, whole: str) -> datetime:
    advice = f"{whole[:60]!r} is not a date with its zone. Write it as ISO 8601 says: 2026-01-31T09:00:00Z."
    if not _DATE.fullmatch(text):
        raise ExpressionError(advice)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ExpressionError(advice) from None


def _bounded(text: str, duration: Duration, start: datetime) -> datetime:
    try:
        return duration.after(start)
    except (OverflowError, ValueError):
        raise ExpressionError(f"{text!r} after {start.isoformat()} is beyond the calendar.") from None
