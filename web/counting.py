"""Lists of a form that are counted by scanning: what `ui:scan` says of one, and how many of each piece are wanted.

How many are wanted stands in the form's own sample, which is valid for the task now; so a form that counts says nothing
twice, and the operation that takes it has the last word as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.views import TaskDetail


@dataclass(frozen=True, slots=True)
class Wanted:
    """One kind of piece."""

    code: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Counting:
    """How a list is counted: names of fields of its rows."""

    code: str
    """Holds what is scanned."""
    count: str
    """Counts up."""
    group: str
    """Says into what, by its number; empty when there is no such field."""
    group_label: str
    wanted: tuple[Wanted, ...]
    sample: tuple[Mapping[str, Any], ...]
    """The rows of the form's sample: what is proposed."""


def counting_of(name: str, schema: Mapping[str, Any], ui: Mapping[str, Any]) -> Counting | None:
    """How the list of that name is counted; None when it is not, or when nobody knows how many are wanted."""
    scan = ui.get(name, {}).get("ui:scan") if isinstance(ui.get(name), Mapping) else None
    items = schema.get("properties", {}).get(name, {}).get("items", {})
    columns = items.get("properties", {}) if isinstance(items, Mapping) else {}
    if not isinstance(scan, Mapping) or scan.get("code") not in columns or scan.get("count") not in columns:
        return None
    code, count, group = scan["code"], scan["count"], str(scan.get("group", ""))
    labels = {str(o["const"]): str(o.get("title", o["const"])) for o in columns[code].get("oneOf", ())}
    totals: Counter[str] = Counter()
    sample = [row for row in _sample_rows(name, schema) if isinstance(row.get(count), int)]
    for row in sample:
        totals[str(row.get(code))] += row[count]
    if not totals:
        return None
    wanted = tuple(Wanted(one, labels.get(one, one), total) for one, total in totals.items())
    rows = tuple({"code": row.get(code), "count": row[count], "group": row.get(group)} for row in sample)
    return Counting(code, count, group, str(columns.get(group, {}).get("title", "")), wanted, rows)


def wanted_of(detail: TaskDetail) -> Sequence[Wanted]:
    """What a task's form counts; nothing when it counts nothing."""
    for name in detail.form.get("properties", {}):
        found = counting_of(name, detail.form, detail.ui)
        if found is not None:
            return found.wanted
    return ()


def _sample_rows(name: str, schema: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    samples = schema.get("examples") or [{}]
    rows = samples[0].get(name, ()) if isinstance(samples[0], Mapping) else ()
    return [row for row in rows if isinstance(row, Mapping)]
