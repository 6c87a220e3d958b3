"""Chance that can be repeated: the same seed and the same question give the same answer, in any order of asking."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dice:
    """Answers drawn from a seed and the names of what is asked."""

    seed: int

    def roll(self, *names: object) -> float:
        """A number from 0 up to, not including, 1."""
        text = "|".join(str(name) for name in (self.seed, *names))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56

    def chance(self, likelihood: float, *names: object) -> bool:
        """True this often."""
        return self.roll(*names) < likelihood

    def pick(self, options: Sequence[T], *names: object) -> T:
        """One of the options, each as likely."""
        return options[int(self.roll(*names) * len(options))]

    def weigh(self, options: Mapping[T, float], *names: object) -> T:
        """One of the options, as likely as its weight says."""
        left = self.roll(*names) * sum(options.values())
        for option, weight in options.items():
            left -= weight
            if left < 0:
                return option
        return next(reversed(list(options)))

    def number(self, low: int, high: int, *names: object) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.roll(*names) * (high - low + 1))
