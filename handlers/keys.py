"""Idempotency keys that have aged: whoever comes back late asks what was done before it acts.

A provider remembers a key for a limited time, and a key that it has forgotten acts anew. What was done under it can
still be found by our own reference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from handlers.contract import Clock

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
T = TypeVar("T")
MARGIN = timedelta(hours=1)
"""Clocks differ, and a request takes its time: a key this close to its end counts as forgotten."""


class Remembers(Protocol[R_co]):
    """The part of a port that this is about."""

    @property
    def key_window(self) -> timedelta: ...

    def find(self, key: str) -> R_co | None: ...


def once(port: Remembers[R], key: str, *, asked_at: datetime | None, clock: Clock, act: Callable[[str], T]) -> R | T:
    """Acts under a key, unless that may be forgotten and it is found that it was done.

    `asked_at` is when the key was first used, or earlier; None when that was not kept. One that is still to come was
    told by a clock that was set back since: nobody can say how old the key is.
    """
    age = None if asked_at is None else clock.now() - asked_at
    if age is None or not timedelta(0) <= age < port.key_window - MARGIN:
        done = port.find(key)
        if done is not None:
            return done
    return act(key)
