"""The sentences of an order's history."""

from __future__ import annotations

import re
from pathlib import Path

from web.pages.history_words import KINDS

ENGINE = Path(__file__).parents[2] / "engine"


def test_every_kind_of_event_has_a_sentence() -> None:
    """What the engine writes into a history, its page can say."""
    written = {kind for path in ENGINE.rglob("*.py") for kind in re.findall(r"\.event\(\s*\"(\w+)\"", path.read_text())}

    assert written > {"completed", "wrong_scan"}
    assert sorted(written - KINDS) == []
