"""The demo in a real process: it ends, and it can be killed at any moment and taken up again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def waybill(var: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL_")} | {"WAYBILL_VAR": str(var)}
    return subprocess.Popen(
        [sys.executable, "-c", "from cli import main; main()", *arguments], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )


def events(var: Path) -> int:
    """Lines of history written so far."""
    path = var / "waybill.db"
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
        try:
            return int(connection.execute("select count(*) from event").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def wait_for(var: Path, process: subprocess.Popen[str], lines: int) -> None:
    """Until the history has so many lines; fails when the process ends before."""
    limit = time.monotonic() + 120
    while events(var) < lines:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < limit, "the demo does not get on"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_demo_killed_twice_still_brings_every_order_to_its_end(tmp_path: Path) -> None:
    """kill -9 in the middle: nothing is lost and nothing is done twice."""
    for lines in (40, 120):
        process = waybill(tmp_path, "demo", "--orders", "12", "--seed", "7")
        wait_for(tmp_path, process, lines)
        process.send_signal(signal.SIGKILL)
        process.wait()

    process = waybill(tmp_path, "demo", "--orders", "12", "--seed", "7")
    output, _ = process.communicate(timeout=300)

    assert process.returncode == 0, output
    assert "Every order ended and every invariant holds." in output
    with sqlite3.connect(tmp_path / "waybill.db") as connection:
        assert connection.execute("select count(*) from orders").fetchone()[0] == 12
