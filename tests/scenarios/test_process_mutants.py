"""A slice of the mutants of the shipped processes; `python -m tests.mutants` plays five hundred."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mutants.changes import Mutant, mutant, shipped
from tests.mutants.orders import STORIES, installed
from tests.mutants.verdict import Install, judge

SLICE = range(32)


@pytest.fixture(scope="module")
def install() -> Iterator[Install]:
    with installed() as factory:
        yield factory


def test_the_processes_as_they_are_shipped_end_every_order_whole(install: Install) -> None:
    """All twenty steps and both signatures, whatever befalls an order: else no mutant would say anything."""
    verdict = judge(Mutant(-1, "nothing is changed", shipped()), install)

    assert (verdict.kind, verdict.why) == ("whole", "every order ends with all steps and signatures")
    assert len(STORIES) >= 4


@pytest.mark.parametrize("seed", SLICE)
def test_a_mutant_is_refused_or_works_or_was_warned_of(seed: int, install: Install) -> None:
    """None halts an order unsaid, loses a step or a signature unsaid, or ends in an error of the engine."""
    verdict = judge(mutant(seed), install)

    assert verdict.kind != "wrong", str(verdict)
