"""Diagrams that other tools drew: mended, each runs to its end, or is refused naming every element at fault."""

from __future__ import annotations

from typing import Any

import pytest

from engine import SYSTEM, Bundle, Database, Engine
from engine.definitions import main_processes, parse_bundle
from engine.errors import Finding
from engine.lint import check
from tests.clock import MovableClock
from tests.foreign.diagrams import DIAGRAMS, Foreign
from tests.foreign.mending import EVERYBODY, TEAMS, lacking, mended, registry, works
from tests.scenarios.conftest import SQLITE_ONLY

RUNS = [each for each in DIAGRAMS if not each.refused]
REFUSED = [each for each in DIAGRAMS if each.refused]


def findings_of(files: Any) -> list[Finding]:
    return check(files, registry(), TEAMS)


def named(each: Foreign) -> str:
    return f"{each.vendor}: {each.name}"


def started(database: Database, clock: MovableClock, files: dict[str, bytes], **variables: Any) -> Engine:
    """An engine that has deployed the files; each of their processes runs once, under its own name."""
    engine = Engine(database, registry(), clock)
    engine.deploy(Bundle(files), SYSTEM, origin="upload")
    for key in main_processes(parse_bundle(Bundle(files))[0]):
        engine.start(key, key, EVERYBODY, variables=variables)
    return engine


def live(engine: Engine, keys: list[str]) -> list[str]:
    return [key for key in keys if engine.instance(key).status == "open"]


@SQLITE_ONLY
@pytest.mark.parametrize("drawn", RUNS, ids=named)
def test_a_foreign_diagram_runs_to_its_end_once_it_is_mended(
    drawn: Foreign, database: Database, clock: MovableClock
) -> None:
    """An analyst presses the offered buttons; then people, partners and time do the rest."""
    files = mended(drawn.build())
    keys = main_processes(parse_bundle(Bundle(files))[0])

    engine = started(database, clock, files, **drawn.starts_with)
    for name in drawn.messages:
        engine.deliver(name, keys[0], {}, source="partner", message_id=name)
    for _ in range(10):
        for key in live(engine, keys):
            works(engine, key)
        clock.advance(days=4)
        while engine.work():
            pass

    assert live(engine, keys) == []
    assert engine.jobs(state="dead").items == ()
    assert keys


@pytest.mark.parametrize("drawn", REFUSED, ids=named)
def test_what_cannot_be_mended_is_named(drawn: Foreign) -> None:
    """Every element at fault is named by its id, with what is wrong and what to do."""
    left = [one for one in lacking(mended(drawn.build())) if one.needed]

    assert {one.element for one in left} == set(drawn.refused)
    assert {(one.element, one.rule) for one in left} >= set(drawn.refused.items())
    assert all(one.missing and one.advice and one.fix is None for one in left)


@pytest.mark.parametrize("drawn", DIAGRAMS, ids=named)
def test_extensions_are_named_with_their_vendor(drawn: Foreign) -> None:
    """A warning says whose extension an element bears, how it is called, and what stands for it here."""
    warnings = [one for one in findings_of(drawn.build()) if one.severity == "warning"]

    for element, word in drawn.named:
        assert any(
            one.element == element and one.rule.startswith("vendor-") and word in f"{one.message} {one.advice}"
            for one in warnings
        ), (element, word)


def test_diagrams_of_many_tools_are_tried() -> None:
    """At least a dozen of at least six vendors, of each family."""
    assert len(DIAGRAMS) >= 12
    assert len({each.vendor for each in DIAGRAMS}) >= 6
    assert {each.family for each in DIAGRAMS} == {"A", "B", "C"}


@SQLITE_ONLY
def test_a_message_may_be_called_by_several_words(database: Database, clock: MovableClock) -> None:
    """What an instance waits for is told by whole names."""
    [drawn] = [each for each in DIAGRAMS if each.name == "standard events"]

    engine = started(database, clock, drawn.build())

    assert engine.instance("waiting").awaits == ("Payment received",)
    engine.deliver("Payment received", "waiting", {}, source="partner", message_id="1")
    assert engine.instance("waiting").awaits == ("Goods received",)
