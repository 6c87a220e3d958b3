"""What a line of the history changed in an order's data, as people read it: what it is called, what it was, what it is
now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from web.text import LABELS, label, money, weight
from web.texts import _

MOST = 40
"""Values that one line of the history shows; a form with more is read at its task."""
_LONGEST = 200
_AMOUNTS = frozenset({"total", "due", "amount", "net", "tax", "discount", "paid", "refund"})
"""Names of values that are money when a currency stands beside them."""
_NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Changed:
    """One value that a line of the history changed."""

    name: str
    was: str
    """Empty when there was no such value before."""
    now: str


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Changed, ...]:
    """The values that differ, by name; a new variable's values have no `was`. Of a decision nothing: it says itself."""
    found = []
    for name in dict.fromkeys((*after, *before)):
        now = after.get(name)
        if isinstance(now, Mapping) and "decision" in now and "snapshot" in now:
            continue
        old, new = dict(_values(name, before.get(name))), dict(_values(name, now))
        for path in dict.fromkeys((*new, *old)):
            if old.get(path) != new.get(path):
                was = old.get(path, _NOTHING) if name in before else ""
                found.append(Changed(path, was, new.get(path, _NOTHING)))
    return tuple(found[:MOST])


def _values(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every single value below a variable: where it stands in words, and how it reads."""
    yield from _below(label(name), value, currency=None, key=name)


def _below(at: str, value: Any, *, currency: str | None, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        own = value.get("currency")
        currency = own if isinstance(own, str) and len(own) == 3 else currency
        for inner, one in value.items():
            name = label(inner.removesuffix("_g").removesuffix("_cm")).lower()
            yield from _below(f"{at}, {name}", one, currency=currency, key=inner)
    elif isinstance(value, (list, tuple)) and any(isinstance(one, (Mapping, list, tuple)) for one in value):
        for place, one in enumerate(value, start=1):
            yield from _below(f"{at} {place}", one, currency=currency, key=key)
    elif value not in (None, "", [], ()):
        yield at, _written(value, currency=currency, key=key)


def _written(value: Any, *, currency: str | None, key: str) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int) and currency and key in _AMOUNTS:
        return money(value, currency)
    if isinstance(value, int) and key.endswith("_g"):
        return weight(value)
    if isinstance(value, int) and key.endswith("_cm"):
        return _("%(length)s cm", length=value)
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value)[:_LONGEST]
    text = label(value) if str(value) in LABELS else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
