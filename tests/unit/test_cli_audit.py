"""`waybill audit`: seals and exports on the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from cli import main
from settings import Settings

LINE = r"{}  \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}}\+00:00  ([0-9a-f]{{64}})\n"


@pytest.fixture(autouse=True)
def var(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The data folder of this test's commands."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WAYBILL_{name.upper()}", raising=False)
    monkeypatch.setenv("WAYBILL_VAR", str(tmp_path / "var"))
    yield tmp_path / "var"
    structlog.reset_defaults()


def waybill(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_seals_are_made_listed_and_found_again() -> None:
    """A line to keep; the hash in it is asked for later, also when typed with care but wrongly."""
    assert (waybill("seals").stdout, waybill("seals").exit_code) == ("", 0)
    made = [waybill("seal").stdout, waybill("seal").stdout]
    first = re.fullmatch(LINE.format(1), made[0])
    assert first
    assert re.fullmatch(LINE.format(2), made[1])
    assert waybill("seals").stdout == "".join(made)

    kept = waybill("verify", "--seal", first[1])
    assert (kept.exit_code, kept.stdout) == (0, "The history of every order is unbroken.\nThe seal is there.\n")
    wrong = waybill("verify", "--seal", "0" * 64)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith(f"No seal has the hash {'0' * 64}: ")


def test_the_printed_verifier_checks_an_exported_file(tmp_path: Path) -> None:
    """What two commands print is all that is needed; a pipe does as well as a file."""
    waybill("seal")
    (tmp_path / "verify.py").write_text(waybill("verifier").stdout)
    assert waybill("export", str(tmp_path / "export.jsonl")).exit_code == 0
    piped = waybill("export", "-").stdout

    for file, given in (("export.jsonl", ""), ("-", piped)):
        done = subprocess.run([sys.executable, "-I", "-S", "verify.py", file], cwd=tmp_path, input=given, text=True,
                              capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, "0 orders, 0 events, 1 seals checked: every history is whole.\n")

    missing = subprocess.run([sys.executable, "-I", "-S", "verify.py", "nothing"], cwd=tmp_path, text=True,
                             capture_output=True, timeout=60, check=False)
    assert (missing.returncode, missing.stderr) == (1, "nothing cannot be read: No such file or directory.\n")


def test_an_export_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    """Neither a new one nor half of one in place of an old one."""
    (tmp_path / "old").write_text("old")

    for file in ("old", "new"):
        result = waybill("export", str(tmp_path / file), "WB-1")
        assert (result.exit_code, result.stderr) == (1, "There is no order WB-1.\n")

    assert (tmp_path / "old").read_text() == "old"
    assert not (tmp_path / "new").exists()
