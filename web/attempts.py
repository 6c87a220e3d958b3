"""Counts failed attempts, so that nobody guesses a password by trying."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta


class Attempts:
    """At most `allowed` failures per name within `window`; then the name waits until the oldest is past.

    Kept in this process alone: with several web processes a guesser has that many times the attempts.
    """

    def __init__(self, allowed: int = 5, window: timedelta = timedelta(minutes=5)) -> None:
        self._allowed = allowed
        self._window = window
        self._failures: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, name: str, now: datetime) -> int:
        """Seconds until `name` may try again; 0 when it may now."""
        with self._lock:
            failures = self._recent(name, now)
            if len(failures) < self._allowed:
                return 0
            return max(1, int((failures[0] + self._window - now).total_seconds()))

    def failed(self, name: str, now: datetime) -> None:
        """Counts one failure."""
        with self._lock:
            self._recent(name, now)
            self._failures.setdefault(name, deque(maxlen=self._allowed)).append(now)

    def succeeded(self, name: str) -> None:
        """Forgets the failures of `name`."""
        with self._lock:
            self._failures.pop(name, None)

    def _recent(self, name: str, now: datetime) -> deque[datetime]:
        failures = self._failures.get(name, deque())
        while failures and failures[0] <= now - self._window:
            failures.popleft()
        if not failures:
            self._failures.pop(name, None)
        return failures
