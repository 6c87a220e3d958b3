"""The table at the end of a run of the harness, and what of it makes the command fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.crash.supervisor import Outcome

_COLUMNS = ("backend", "run", "points", "kills", "pauses", "wipes", "orders", "closed", "cancelled", "violations",
            "minutes")


def table(outcomes: Sequence[Outcome]) -> Table:
    found = Table(*_COLUMNS, title="Crash runs")
    for outcome in outcomes:
        plan = outcome.plan
        met = f"{outcome.labels - len(outcome.missing)} of {outcome.labels}" if plan.deaths else "–"
        found.add_row(
            plan.backend, f"points, {plan.deaths} deaths each" if plan.deaths else f"random, seed {plan.seed}", met,
            str(outcome.kills + outcome.deaths), str(outcome.pauses), str(outcome.wipes), str(outcome.orders),
            str(outcome.closed), str(outcome.cancelled), str(len(outcome.violations) + len(outcome.missing)),
            f"{outcome.seconds / 60:.1f}",
        )  # fmt: skip
    return found


def faults(outcome: Outcome) -> list[str]:
    """Everything that is wrong with a run."""
    return [*outcome.violations, *(f"points: “{label}” has never killed anybody" for label in outcome.missing)]


def tell(console: Console, outcomes: Sequence[Outcome], mutants: Mapping[str, bool]) -> int:
    """Prints everything; returns how many violations there are in all. A mutant that nobody caught is one too."""
    total = 0
    for outcome in outcomes:
        for fault in faults(outcome):
            total += 1
            console.print(f"{outcome.plan.backend}, seed {outcome.plan.seed}: {fault}", markup=False, highlight=False)
    console.print(table(outcomes))
    for name, caught in mutants.items():
        total += not caught
        console.print(f"mutant {name}: {'caught' if caught else 'NOT CAUGHT'}", markup=False, highlight=False)
    console.print(f"violations: {total}", markup=False, highlight=False)
    return total
