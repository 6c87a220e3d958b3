"""Moments that people enter: the value of a field for date and time, in the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime

from web.pages.shell import times


def read_moment(text: str) -> datetime | None:
    """The moment that was entered, in UTC; None when it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=times().zone)).astimezone(UTC)
    except OverflowError:
        return None


def as_entered(at: datetime) -> str:
    """What stands in the field for that moment."""
    return at.astimezone(times().zone).strftime("%Y-%m-%dT%H:%M")
