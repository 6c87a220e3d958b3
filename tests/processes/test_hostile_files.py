"""Whatever somebody uploads: a sentence that an analyst understands, soon, and never a traceback; nothing is stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from engine.lint import check, guard
from settings import ROOT
from tests.hostile_files import ALL
from tests.unit.lint_bundle import DIAGRAM, GOOD_DIAGRAM, definitions, flow, good_bundle, registry

JARGON = ("Traceback", "Error:", "Exception", "NoneType", "object at 0x", "lxml", "xmlns", "SpiffWorkflow", "KeyError")
"""What an analyst can do nothing with."""


@pytest.mark.parametrize("name", ALL)
def test_a_hostile_file_is_refused_by_a_sentence(name: str) -> None:
    """By the rules themselves: the deadline is for what nobody foresaw, and no rule breaks on it."""
    found = guard.guarded_check({name: ALL[name]()}, registry())

    errors = [finding for finding in found if finding.severity == "error" and finding.file == name]
    assert errors, [str(finding) for finding in found]
    assert {finding.rule for finding in found}.isdisjoint({"too-slow", "unreadable", "engine"})
    for finding in errors[:5]:
        assert finding.message.endswith(".")
        assert finding.advice
        assert len(finding.message) < 500
        assert not any(word in finding.message for word in JARGON), finding.message


def waybill(*arguments: str, var: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; whoever hangs is killed and fails the test."""
    environment = {**os.environ, "WAYBILL_VAR": str(var)}
    return subprocess.run(
        [sys.executable, "-c", "from cli import main; main()", *arguments], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=300, check=False,
    )


def test_a_folder_of_hostile_files_is_refused_file_by_file(tmp_path: Path) -> None:
    """`waybill processes check` over all of them together names each one, and leaves nothing behind."""
    folder, var = tmp_path / "files", tmp_path / "var"
    folder.mkdir()
    for name, make in ALL.items():
        (folder / name).write_bytes(make())
    os.mkfifo(folder / "pipe.bpmn")
    began = time.monotonic()

    result = waybill("processes", "check", "--json", str(folder), var=var)

    print(f"{len(ALL)} hostile files in {time.monotonic() - began:.1f} s")
    assert (result.returncode, result.stderr) == (1, "")
    found = [finding for finding in json.loads(result.stdout) if finding["severity"] == "error"]
    named = {finding["file"].rpartition("/")[2] for finding in found}
    assert {finding["rule"] for finding in found}.isdisjoint({"too-slow", "unreadable", "engine"})
    missed = {name for name in ALL if name not in named and not any(name in each["message"] for each in found)}
    assert missed == set()
    assert not var.exists()


@pytest.mark.parametrize("name", ["billion_laughs.bpmn", "script_opens_a_file.bpmn", "form_pattern_nested.json"])
def test_one_hostile_file_is_refused_by_the_command(name: str, tmp_path: Path) -> None:
    """One line for each problem, exit code 1, and nothing on the standard error."""
    (tmp_path / name).write_bytes(ALL[name]())

    result = waybill("processes", "check", str(tmp_path / name), var=tmp_path / "var")

    assert (result.returncode, result.stderr) == (1, "")
    assert f"/{name}" in result.stdout
    assert "error: " in result.stdout


def test_what_other_tools_write_is_accepted(tmp_path: Path) -> None:
    """UTF-16, Latin-1, a byte order mark and `isExecutable="1"` are no reason to refuse a diagram."""
    for number, encoding in enumerate(("utf-16", "iso-8859-1", "utf-8-sig", "utf-16-be", "utf-8")):
        text = definitions(
            f'<bpmn:process id="p{number}" name="Größe {number}" isExecutable="1"><bpmn:startEvent id="s{number}"/>'
            f'<bpmn:endEvent id="e{number}"/>{flow(f"s{number}", f"e{number}")}</bpmn:process>'
        ).replace('encoding="UTF-8"', f'encoding="{encoding.removesuffix("-sig").removesuffix("-be").upper()}"')
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        (tmp_path / f"{encoding}.bpmn").write_bytes(mark + text.encode(encoding))

    result = waybill("processes", "check", str(tmp_path), var=tmp_path / "var")

    assert (result.returncode, result.stdout) == (0, "No problem was found.\n"), result.stdout


def test_the_largest_diagram_that_is_taken_is_read_soon(capsys: pytest.CaptureFixture[str]) -> None:
    """As many elements and words as the rules let pass: within the deadline, without a word about it."""
    inner = ""
    for process in range(6):
        names = [f"s{process}", *(f"t{process}_{n}" for n in range(280)), f"e{process}"]
        words = "<bpmn:documentation>" + "Much is said. " * 150 + "</bpmn:documentation>"
        tasks = "".join(
            f'<bpmn:scriptTask id="{name}">{words}<bpmn:script>v{n} = 1</bpmn:script></bpmn:scriptTask>'
            for n, name in enumerate(names[1:-1])
        )
        inner += (
            f'<bpmn:process id="p{process}" isExecutable="true"><bpmn:startEvent id="s{process}"/>{tasks}'
            f'<bpmn:endEvent id="e{process}"/>' + "".join(flow(*pair) for pair in pairwise(names))
            + "</bpmn:process>"
        )
    data = definitions(inner).encode()
    began = time.monotonic()

    found = guard.guarded_check({"large.bpmn": data}, registry())

    with capsys.disabled():
        print(f" {len(data) / 1024**2:.1f} MB in {time.monotonic() - began:.2f} s", end="")
    assert [str(finding) for finding in found] == []


def test_whoever_takes_too_long_is_ended_and_the_next_one_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that nobody foresaw costs its own answer and no other."""
    with monkeypatch.context() as patched:
        patched.setattr(guard, "DEADLINE", 0.001)
        [finding] = guard.guarded_check(good_bundle(), registry())

    assert (finding.file, finding.rule, finding.severity) == (DIAGRAM, "too-slow", "error")
    assert guard.guarded_check(good_bundle(), registry()) == []


def test_the_process_that_reads_gives_the_same_answers() -> None:
    """What is found there is what the rules find here, with names and lines."""
    text = GOOD_DIAGRAM.replace("order.sku", "oder.sku").replace('value="PT4H"', 'value="four hours"')
    files = good_bundle() | {DIAGRAM: text.encode()}
    teams = {"sales": True, "owner": False}

    there, here = guard.guarded_check(files, registry(), teams), check(files, registry(), teams)

    assert [replace(each, fix=None, label=None, others=()) for each in there] == [
        replace(each, fix=None, label=None, others=()) for each in here]
    assert {finding.rule for finding in there} >= {"unknown-variable", "due", "team"}
