"""What a person types before an instance is started, where no form says of which kind it is."""

from __future__ import annotations

from typing import Any

import pytest

from engine.starting import Starting, values_of


@pytest.mark.parametrize(("text", "value"), [
    ("12", 12), (" -3 ", -3), ("0", 0), ("1.50", 1.5), ("true", True), ("False", False),
    ("007", "007"), ("1_000", "1_000"), ("+49", "+49"), ("1e5", "1e5"), ("٣", "٣"), ("9" * 17, "9" * 17), ("", ""),
])  # fmt: skip
def test_only_what_is_meant_as_a_number_becomes_one(text: str, value: Any) -> None:
    """A zero before an article's number counts, and so does the plus of a phone's."""
    form = {"$comment": "startsWith", "properties": {"typed": {"type": "string"}}}
    found = Starting("look", "Look", 1, "variables", form, {}, None, None)

    assert values_of(found, {"typed": text}) == {"typed": value}
