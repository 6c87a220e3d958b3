"""What goes wrong when: drawn from a seed before the run starts, so that the same seed makes the same trouble."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal["kill", "pause", "wipe"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong."""

    at: float
    """How far all orders together have come by then, from 0 to 1."""
    kind: Kind
    victim: float
    """Which of the processes, from 0 to 1."""
    pause: float = 0.0
    """How many leases a pause lasts."""


def schedule(seed: int, *, kills: int, pauses: int, wipes: int) -> list[Trouble]:
    """Everything that goes wrong in a run, in order."""
    chance = random.Random(seed)
    found = [Trouble(chance.uniform(0.01, 0.93), "kill", chance.random()) for _ in range(kills)]
    found += [
        Trouble(chance.uniform(0.01, 0.93), "pause", chance.random(), chance.uniform(1.1, 1.6)) for _ in range(pauses)
    ]
    found += [Trouble(chance.uniform(0.05, 0.93), "wipe", 0.0) for _ in range(wipes)]
    return sorted(found, key=lambda trouble: trouble.at)
