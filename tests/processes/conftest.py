"""Houses that are empty at the start and leave no process behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation that does not exist yet."""
    house = House(tmp_path / "var")
    yield house
    house.end()
