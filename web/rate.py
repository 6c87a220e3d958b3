"""How often something may be asked for, so that one caller does not keep the others waiting."""

from __future__ import annotations

import threading
from datetime import datetime


class Rate:
    """At most `per_minute` uses for each key in each minute of the clock.

    Kept in this process alone: with several web processes a caller has that many times the uses.
    """

    def __init__(self, per_minute: int) -> None:
        self._allowed = per_minute
        self._minute = 0
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, key: str, now: datetime) -> int:
        """Counts one use; seconds until there may be another when it is one too many, else 0."""
        minute, second = divmod(int(now.timestamp()), 60)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._used.clear()
            used = self._used[key] = self._used.get(key, 0) + 1
        return 60 - second if used > self._allowed else 0
