"""What one run tells its processes: written by the supervisor, read by each process from the environment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "WAYBILL_CRASH_RUN"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the harness."""

    folder: str
    """Everything of this run: data folder, clock, logs."""
    seed: int
    outside: int
    """The port of the counterparties."""
    webs: tuple[int, ...]
    """The ports of the web processes."""
    lease: float = 4.0
    """Seconds that a claimed job belongs to its worker; the product's own are 30."""
    deaths: int = 0
    """How often each labelled point kills; 0: points only look on."""

    @property
    def patience(self) -> float:
        """Seconds that a call outside may take: under half the lease."""
        return self.lease * 0.4

    @property
    def var(self) -> Path:
        return Path(self.folder) / "var"

    @property
    def clock(self) -> Path:
        return Path(self.folder) / "clock"

    @property
    def deaths_log(self) -> Path:
        return Path(self.folder) / "deaths"

    @property
    def broken(self) -> Path:
        """A file for each operation that has broken down once."""
        return Path(self.folder) / "broken"

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def load(text: str) -> Run:
        found = json.loads(text)
        return Run(**{**found, "webs": tuple(found["webs"])})
