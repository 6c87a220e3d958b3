"""A short part of `make crash`, with a fixed seed: every kind of run, in a few minutes."""

from __future__ import annotations

import pytest

from tests.crash.backends import BACKENDS, NotThere
from tests.crash.report import faults
from tests.crash.supervisor import Outcome, Plan, perform

SEED = 7


def _run(plan: Plan) -> Outcome:
    try:
        return perform(plan)
    except NotThere as reason:
        pytest.skip(str(reason))


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_processes_that_die_at_random_lose_nothing_and_do_nothing_twice(backend: str) -> None:
    """Web, workers and counterparties are killed and paused in the middle of everything; every order ends, once."""
    wipes = 2 if backend == "celery" else 0

    outcome = _run(Plan(backend, SEED, orders=8, kills=5, pauses=2, wipes=wipes, minutes=10))

    assert faults(outcome) == []
    assert (outcome.orders, outcome.kills, outcome.wipes) == (8, 5, wipes)


@pytest.mark.slow
def test_processes_that_die_around_commits_and_outside_calls_lose_nothing() -> None:
    """The commonest labelled points each kill once; the rare ones need more orders, and `make crash`."""
    outcome = _run(Plan("sqlite", SEED, orders=5, deaths=1, minutes=10))

    assert outcome.violations == []
    assert outcome.deaths >= 40
