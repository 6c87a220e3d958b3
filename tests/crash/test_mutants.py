"""Each safeguard of the engine is missed when it is not there, and the same scenario is quiet when it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.mutants import MUTANTS, NAMES, is_caught
from tests.scenarios.shop import Shop


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_passes_the_scenario(shop: Shop, name: str) -> None:
    """Nothing is wrong as long as the safeguard is there."""
    assert MUTANTS[name].scenario(shop) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_mutant_is_caught(shop: Shop, name: str) -> None:
    """Without the safeguard something is wrong, and is said."""
    with MUTANTS[name].sabotage():
        assert MUTANTS[name].scenario(shop)


def test_a_report_can_ask_for_one_mutant(tmp_path: Path) -> None:
    """As the table of the crash run does: in an installation of its own."""
    assert is_caught("no fence check", tmp_path)
