"""`waybill demo`: the whole company, simulated."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app import Counterparties
from cli.dispatch import waking
from cli.installation import installation
from demo.clock import DemoClock
from demo.dice import Dice
from demo.outside import PROCESS, CourierWorld
from demo.run import DemoRun
from demo.run import Progress as Reached
from demo.tally import broken, happened
from demo.turn import Turn
from engine import Engine
from settings import DEMO_TURN, load

INTERRUPTED = 130
"""What a shell makes of Ctrl-C."""
LINE_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""


@click.command()
@click.option("--orders", "number", required=True, type=click.IntRange(0, 100_000),
              help="How many new customers order. 0 only takes what is open to its end.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same customers and the same luck.")
def demo(number: int, seed: int) -> None:
    """Play customers, people, bank and couriers until every order has ended.

    Time jumps ahead when nobody has anything to do. A run that was broken off is taken up by giving it again. Exit 1
    if an order did not end or an invariant broke.
    """
    world = CourierWorld(Dice(seed))
    outside = Counterparties(plan=world.plan, courier_faults=world.fault)
    console = Console()
    settings = load(demo=True)
    turn = Turn(settings.var / DEMO_TURN)
    with turn.taken() as mine:
        if not mine:
            click.echo("Another process plays the world outside. This run begins when it has finished.", err=True)
    with (
        installation(settings, counterparties=outside) as parts, waking(parts),
        turn.taken(wait=True),  # servers and workers beside it leave the world to this run
    ):
        assert isinstance(parts.clock, DemoClock)
        run = DemoRun(parts.engine, parts.ports, parts.clock, orders=number, seed=seed)
        with (_bar if console.is_terminal else _lines)(console, number) as report:
            try:
                ended = run.run(report)
            except KeyboardInterrupt:
                click.echo("Stopped. Give the same command again to take it up where it was.", err=True)
                sys.exit(INTERRUPTED)
        faults = broken(parts.engine, parts.ports)
        table = Table("What happened", "Times")
        table.columns[1].justify = "right"
        for words, count in sorted(happened(parts.engine).items()):
            if count:
                table.add_row(words, f"{count:,}")
        console.print(table)
        if not ended:
            _name_open(console, parts.engine)
    for fault in faults:
        console.print(f"BROKEN  {fault}", style="bold red", markup=False, soft_wrap=True)
    console.print("Every order ended and every invariant holds." if ended and not faults
                  else "Not every order ended, or an invariant broke.")
    sys.exit(0 if ended and not faults else 1)


@contextmanager
def _bar(console: Console, number: int) -> Iterator[Callable[[Reached], None]]:
    """Shows progress on a terminal."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                  console=console) as bar:
        shown = bar.add_task("orders ended", total=number)

        def report(reached: Reached) -> None:
            bar.update(shown, completed=reached.ended, total=max(number, reached.total),
                       description=f"orders ended, {reached.now:%d %b %H:%M}")

        yield report


@contextmanager
def _lines(_console: Console, number: int) -> Iterator[Callable[[Reached], None]]:
    """Shows progress in a log: a line now and then."""
    next_line = time.monotonic()

    def report(reached: Reached) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_EVERY
            click.echo(f"{reached.ended} of {max(number, reached.total)} orders ended, {reached.now:%d %b %H:%M}")

    yield report


def _name_open(console: Console, engine: Engine) -> None:
    for view in engine.instances(PROCESS, statuses=("open", "cancelling"), limit=50).items:
        console.print(f"NOT ENDED  {view.business_key} {view.status} at step {view.step} {view.awaits}", soft_wrap=True)
    for job in engine.jobs(state="dead").items:
        console.print(f"INCIDENT  {job.order} {job.operation}: {job.error}", markup=False, soft_wrap=True)
