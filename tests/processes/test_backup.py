"""Backups of a demo that goes on, each restored elsewhere, where the demo goes on as well."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes.house import House, Server

pytestmark = pytest.mark.slow
ENDED = "Every order ended and every invariant holds."
SEED = ("--seed", "7")


@pytest.fixture
def elsewhere(tmp_path: Path) -> House:
    return House(tmp_path / "elsewhere" / "var")


def test_backups_of_a_running_demo_carry_on_elsewhere(house: House, tmp_path: Path) -> None:
    """Whenever a backup was taken: restored, it is of one moment, its history is whole, every order comes to an end."""
    demo = house.start("demo", "--orders", "10", *SEED)
    taken: list[Path] = []
    for lines in (50, 200):
        Server(demo, "").until(lambda lines=lines: len(house.ask("select 1 from event")) >= lines, "getting on")
        taken.append(tmp_path / f"at-{lines}.tar.zst")
        code, output = house.does("backup", str(taken[-1]))
        assert code == 0, output
    assert demo.poll() is None, "the demo was over before the backups were"
    output, _ = demo.communicate(timeout=600)
    assert (demo.returncode, ENDED in output) == (0, True), output

    for number, file in enumerate(taken):
        copy = House(tmp_path / f"copy-{number}")
        code, output = copy.does("restore", str(file))
        assert code == 0, output
        is_of_one_moment(copy)
        assert copy.ask("select 1 from instance where status = 'open'"), "nothing was under way: this proves little"
        assert copy.does("audit", "verify") == (0, "The history of every order is unbroken.\n")
        code, output = copy.does("demo", "--orders", "0", *SEED)
        assert (code, ENDED in output) == (0, True), output


def is_of_one_moment(copy: House) -> None:
    """The counterparties' books lack nothing that the database knows, and hold nothing for told that it lacks."""
    messages = {row[0] for row in copy.ask("select message_id from message")}
    known = {row[0] for row in copy.ask("select reference from payment where state = 'done'")}
    with closing(sqlite3.connect(copy.var / "outside" / "couriers.db")) as books:
        told = books.execute("select reference || ':' || position from happening where copies = 0").fetchall()
    with closing(sqlite3.connect(copy.var / "outside" / "payments.db")) as books:
        moved = {row[0] for row in books.execute("select reference from movement")}
    assert {row[0] for row in told} <= messages
    assert known <= moved


def test_a_killed_backup_or_restore_leaves_nothing_half(house: House, elsewhere: House, tmp_path: Path) -> None:
    """kill -9 at any moment: the file is whole or not there; the folder is as it was, or the same command ends it."""
    assert house.does("demo", "--orders", "3", *SEED)[0] == 0
    file = tmp_path / "backup.tar.zst"
    for delay in (0.9, 1.1, 1.3, 1.5):
        _killed_after(house.start("backup", str(file)), delay)
        if file.exists():
            break
    assert house.does("backup", str(file))[0] == 0

    for delay in (0.8, 1.0, 1.2, 1.4):
        _killed_after(elsewhere.start("restore", str(file)), delay)
        if (elsewhere.var / "waybill.db").exists():
            break
    if not (elsewhere.var / "waybill.db").exists():
        assert elsewhere.does("restore", str(file))[0] == 0
    assert elsewhere.does("audit", "verify")[0] == 0
    assert ENDED in elsewhere.does("demo", "--orders", "0", *SEED)[1]


def _killed_after(process: subprocess.Popen[str], seconds: float) -> None:
    time.sleep(seconds)  # a moment of nobody's choosing: that is the point
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_folder_in_use_is_not_replaced(house: House, tmp_path: Path) -> None:
    """While a server works on the folder nothing of it is moved; stopped, its folder is moved aside and kept."""
    file = tmp_path / "backup.tar.zst"
    server = house.serves("run", "--demo")
    server.until(lambda: len(house.ask("select 1 from event")) > 20, "busy")
    assert house.does("backup", str(file))[0] == 0

    code, output = house.does("restore", str(file))
    assert (code, "is there already" in output) == (1, True), output
    code, output = house.does("restore", str(file), "--replace")
    assert (code, "Stop web and worker first." in output) == (1, True), output
    assert server.get("/readyz")[0] == 200
    assert server.stop()[0] == 0

    code, output = house.does("restore", str(file), "--replace")
    assert code == 0, output
    [aside] = house.var.glob("before-restore-*")
    assert (aside / "waybill.db").is_file()
    assert house.does("audit", "verify")[0] == 0
    assert house.serves("run", "--demo").stop()[0] == 0
