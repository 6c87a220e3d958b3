"""One process of a run: `python -m tests.crash.process web|worker|counterparties`.

Web and worker are the product's own commands, on parts that were given points and that ask counterparties elsewhere.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import app
from cli import installation
from cli import main as waybill
from demo.clock import DemoClock
from demo.dice import Dice
from engine import distributed, jobs, worker
from tests.crash.config import VARIABLE, Run
from tests.crash.counterparties import serve
from tests.crash.instruments import Breakdowns, instrument
from tests.crash.points import Points
from tests.crash.remote import courier_of, provider_of


def live(role: str, variables: Mapping[str, str], log: Path) -> None:
    """Is one process of a run, from its first to its last moment: a fork that has done nothing yet becomes it."""
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.clear()
    os.environ.update(variables)
    play(role)


def play(role: str) -> None:
    """Goes on until it is killed or asked to end."""
    faulthandler.register(signal.SIGUSR1)  # a process that hangs can be asked where
    run = Run.load(os.environ[VARIABLE])
    if role == "counterparties":
        serve(run)
        return
    equip(run)
    sys.argv = ["waybill", role]
    waybill()


def equip(run: Run) -> None:
    """From here on, whatever builds the product's parts gets instrumented ones."""
    build = app.build
    clock = DemoClock(run.clock)
    points = Points(run.deaths_log, run.deaths)
    breakdowns = Breakdowns(run.broken, Dice(run.seed))
    jobs.LEASE = timedelta(seconds=run.lease)
    worker.IDLE_SECONDS = 0.05  # nobody wakes a worker of another process, and a run is made of many short waits
    distributed.SWEEP_SECONDS = 0.2
    app.EmbeddedProvider = provider_of(run.outside, run.patience)  # type: ignore[assignment,misc]
    app.EmbeddedCourier = courier_of(run.outside, run.patience)  # type: ignore[assignment,misc]

    def instrumented(settings: app.Settings, **_options: object) -> app.Parts:
        parts = build(settings, clock=clock)
        instrument(parts, points, breakdowns)
        return parts

    installation.build = instrumented


if __name__ == "__main__":
    play(sys.argv[1])
