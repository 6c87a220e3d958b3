"""Time as tests have it."""

from __future__ import annotations

from datetime import datetime, timedelta


class MovableClock:
    """Stands still until a test moves it."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> datetime:
        """Moves on by `timedelta(**by)` and returns the new time."""
        self._now += timedelta(**by)
        return self._now

    def jump_to(self, at: datetime) -> None:
        """Moves ahead; never back. In a demo run something has always to be later than what came before."""
        self._now = max(self._now + timedelta(milliseconds=1), at)
