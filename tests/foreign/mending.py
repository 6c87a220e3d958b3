"""An analyst who presses one button after the other, and people who do whatever task comes to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine import Engine
from engine.executable import Missing, make_executable, mend, missing_of
from engine.lint import check
from engine.views import Actor
from handlers.contract import Call, Registry, build_registry

TEAMS = {"sales": True, "warehouse": True, "finance": True, "shipping": True, "owner": False}
EVERYBODY = Actor("somebody", frozenset(TEAMS))
MOST = 150
"""Fixes that one of these small diagrams may need."""


def _note(call: Call, text: str = "") -> dict[str, Any]:
    return {"text": text, "order": call.order}


def registry() -> Registry:
    """One operation, so that a vendor's topic can name it."""
    return build_registry(None, {"desk.note": _note})


def lacking(files: Mapping[str, bytes]) -> list[Missing]:
    return make_executable(files, registry(), TEAMS)


def steps(files: Mapping[str, bytes], *, all_of_them: bool = False) -> Iterator[tuple[Missing, str, dict[str, bytes]]]:
    """One fix after the other, the first that is offered: what it was for, which, and the files after it.

    Until nothing that is needed can be mended; with `all_of_them` until there is no fix at all.
    """
    after = dict(files)
    while True:
        findings = check(after, registry(), TEAMS)
        missing = missing_of(findings, after, registry(), TEAMS)
        one = next((one for one in missing if one.choices and (one.needed or all_of_them)), None)
        if one is None:
            return
        fix = one.choices[0].fix
        after = mend(after, one.file, one.element, fix, registry(), TEAMS, findings=findings)
        yield one, fix, after


def mended(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files when no button is left."""
    after = dict(files)
    for count, (_, _, changed) in enumerate(steps(files)):
        assert count < MOST, "the fixes do not come to an end"
        after = changed
    return after


def sample(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A document that the form takes."""
    return {name: _value(field) for name, field in schema.get("properties", {}).items()}


def _value(field: Mapping[str, Any]) -> Any:
    if "oneOf" in field:
        return field["oneOf"][-1]["const"]
    if field["type"] == "string":
        return "2026-12-01" if field.get("format") == "date" else "seen"
    return {"boolean": True, "integer": 7, "number": 2000}[field["type"]]


def works(engine: Engine, key: str) -> list[str]:
    """Does every task of an instance that is open now; their names."""
    done = []
    for task in [task for task in engine.order_tasks(key) if task.state == "open"]:
        detail = engine.task(task.id, EVERYBODY)
        engine.complete(task.id, EVERYBODY, sample(detail.form))
        done.append(task.name)
    return done
