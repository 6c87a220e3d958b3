"""The demo's clock: one time for every process of an installation, which can be moved ahead."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import build
from demo.clock import DemoClock
from handlers.contract import SystemClock
from settings import load

WEEK = timedelta(days=7)
JUMPS_A_WEEK = """
import sys
from datetime import timedelta
from pathlib import Path
from demo.clock import DemoClock
clock = DemoClock(Path(sys.argv[1]))
clock.jump_to(clock.now() + timedelta(days=7))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demo-clock"


def ahead(clock: DemoClock) -> timedelta:
    """How far the demo's time is before the machine's."""
    return clock.now() - datetime.now(UTC)


def test_without_a_jump_it_is_the_machines_clock(path: Path) -> None:
    """It goes on by itself; a demo that nobody moves lives today."""
    clock = DemoClock(path)

    before = datetime.now(UTC)
    now = clock.now()

    assert before <= now <= datetime.now(UTC)


def test_a_jump_of_another_process_is_seen_at_once(path: Path) -> None:
    """Web, workers and `waybill demo` live in the same time; it is kept when all of them have ended."""
    here = DemoClock(path)

    subprocess.run([sys.executable, "-c", JUMPS_A_WEEK, str(path)], check=True, timeout=60)

    assert WEEK <= ahead(here) + timedelta(seconds=1) < WEEK + timedelta(minutes=1)
    assert abs(ahead(DemoClock(path)) - ahead(here)) < timedelta(seconds=1)


def test_it_never_goes_back(path: Path) -> None:
    """A jump to what is past changes nothing."""
    clock = DemoClock(path)
    clock.jump_to(clock.now() + WEEK)
    reached = clock.now()

    clock.jump_to(reached - timedelta(days=1))

    assert clock.now() >= reached


def test_of_jumps_at_once_the_furthest_holds(path: Path) -> None:
    """Two who both jump to the same appointment do not jump twice."""
    clocks = [DemoClock(path) for _ in range(8)]
    at = clocks[0].now() + WEEK
    threads = [threading.Thread(target=clock.jump_to, args=(at,)) for clock in clocks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert at <= clocks[0].now() < at + timedelta(minutes=1)


def test_only_a_demo_has_it(tmp_path: Path) -> None:
    """A real shop lives by the machine's clock, whatever lies in its folder."""
    demo = build(load(var=tmp_path / "demo", demo=True, database_url=""))
    real = build(load(var=tmp_path / "real", database_url=""))

    assert isinstance(demo.clock, DemoClock)
    assert isinstance(real.clock, SystemClock)
    assert (tmp_path / "demo" / "demo-clock").is_file()
    assert not (tmp_path / "real" / "demo-clock").exists()
    for parts in (demo, real):
        parts.database.dispose()
