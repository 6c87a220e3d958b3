"""`python -m tests.crash`: kills Waybill's processes in every way there is, and says whether anything was lost."""

from __future__ import annotations

import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from tests.crash import mutants
from tests.crash.backends import BACKENDS, NotThere
from tests.crash.report import tell
from tests.crash.supervisor import Outcome, Plan, perform

QUICK_ORDERS, QUICK_KILLS = 12, 8
ORDERS, KILLS = 300, 100
WIPES = 10
DEATHS = 2
POINT_ORDERS, MOST_POINT_ORDERS = 60, 240


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    orders: int
    kills: int
    seed: int
    quick: bool

    def plans(self, backend: str) -> list[Plan]:
        """The runs on one backend: every labelled point, then at random."""
        wipes = (2 if self.quick else WIPES) if backend == "celery" else 0
        at_random = Plan(backend, self.seed, self.orders, kills=self.kills, pauses=max(2, self.kills // 5),
                         wipes=wipes, minutes=10 if self.quick else 120)
        deaths = 1 if self.quick else DEATHS
        labelled = Plan(backend, self.seed, POINT_ORDERS, deaths=deaths, most_orders=MOST_POINT_ORDERS, minutes=120)
        return [at_random] if self.quick and backend != "sqlite" else [labelled, at_random]


@click.command()
@click.option("--backend", "chosen", multiple=True, type=click.Choice(BACKENDS), help="Only this one; may be repeated.")
@click.option("--orders", type=click.IntRange(1), help=f"Orders of each random run; default {ORDERS}.")
@click.option("--kills", type=click.IntRange(0), help=f"Kills of each random run; default {KILLS}.")
@click.option("--seed", type=int, help="The same seed makes the same trouble; default: a new one.")
@click.option("--quick", is_flag=True, help="A small run on each backend, for continuous integration.")
def main(chosen: tuple[str, ...], orders: int | None, kills: int | None, seed: int | None, quick: bool) -> None:
    """Kill processes at every labelled point and at random, on every backend that answers; then catch the mutants."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    wanted = Wanted(
        orders or (QUICK_ORDERS if quick else ORDERS), kills if kills is not None else QUICK_KILLS if quick else KILLS,
        seed if seed is not None else random.SystemRandom().randrange(10_000), quick,
    )
    console.print(f"Seed {wanted.seed}: run again with --seed {wanted.seed}")
    outcomes: list[Outcome] = []
    for backend in chosen or BACKENDS:
        try:
            outcomes += [perform(plan, lambda line: console.print(line, highlight=False))
                         for plan in wanted.plans(backend)]
        except NotThere as reason:
            console.print(f"{backend} is left out: {reason}", highlight=False)
            if chosen:
                sys.exit(1)
    with tempfile.TemporaryDirectory() as folder:
        caught = {name: mutants.is_caught(name, Path(folder) / name) for name in mutants.NAMES}
    sys.exit(1 if tell(console, outcomes, caught) else 0)


if __name__ == "__main__":
    main()
