"""What is right for a mutant: refused, or every order is whole, or the check has said what it loses. Never an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import handlers
from engine.errors import Finding
from engine.lint import check
from handlers.contract import Registry
from tests.mutants.changes import Mutant
from tests.mutants.orders import STEPS, STORIES, TEAMS, Outcome, Player

_ENGINES = re.compile(r"(Expression|Engine|Type|Key|Attribute|Index|Value|Runtime|Assertion|Workflow|Task)\w*Error")
"""Errors of the engine and of Python; an operation's own words about its order are no such error."""
Install = Callable[[Mapping[str, bytes] | None], Player]


@dataclass
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    kind: str
    """`refused`, `whole`, `said`, or `wrong`."""
    why: str

    def __str__(self) -> str:
        return f"{self.mutant.seed:4} {self.kind:7} {self.mutant.what} → {self.why}"


@cache
def operations() -> Registry:
    """Every operation that a diagram may name; for checking they need no ports."""
    ports: Any = SimpleNamespace(payments=None, couriers=None, mail=None, documents=None, files=None, clock=None)
    return handlers.registry(cast("Any", ports))


def judge(mutant: Mutant, install: Install) -> Verdict:
    """Checks a mutant and, if it may be deployed, plays orders on it."""
    teams = {**dict.fromkeys(TEAMS, True), "owner": False, "admin": False}
    findings = check(mutant.files, operations(), teams)
    errors = [finding for finding in findings if finding.severity == "error"]
    if broken := [finding for finding in findings if finding.rule in ("unreadable", "engine")]:
        return Verdict(mutant, "wrong", f"the check broke: {broken[0]}")
    if errors:
        return Verdict(mutant, "refused", f"{errors[0].element} {errors[0].rule}: {errors[0].message}")
    player = install(mutant.files)
    outcomes = [player.play(story) for story in STORIES]
    if trouble := next((each for each in outcomes if each.trouble), None):
        return Verdict(mutant, "wrong", f"{trouble.name}: {trouble.trouble}")
    halted = [(each, element, error) for each in outcomes for element, error in each.incidents]
    for each, element, error in halted:
        if not findings or _ENGINES.match(error):
            return Verdict(mutant, "wrong", f"“{each.name}” halts at {element}: {error}; said: {_all(findings)}")
    lame = [each for each in outcomes if not each.whole]
    if not lame:
        said = f", though {findings[0].rule} was said of {findings[0].element}" if findings else ""
        return Verdict(mutant, "whole", "every order ends with all steps and signatures" + said)
    if findings:
        return Verdict(mutant, "said", f"{_said(findings)}; {_lost(lame[0])}")
    return Verdict(mutant, "wrong", f"nothing was said, and {_lost(lame[0])}")


def _all(findings: list[Finding]) -> str:
    return ", ".join(f"{finding.element} {finding.rule}" for finding in findings) or "nothing"


def _said(findings: list[Finding]) -> str:
    return f"{findings[0].element} {findings[0].rule}: {findings[0].message}"


def _lost(outcome: Outcome) -> str:
    return (f"“{outcome.name}” is {outcome.status} without steps {sorted(STEPS - outcome.steps)}, signed at "
            f"{sorted(outcome.signed)}, at {outcome.stood} {outcome.incidents}")
