"""Compares the elements of two readings of a diagram, by id."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.diff.model import Change, Detail, DiagramChange, Mark, Steps
from engine.diff.reading import Fact, Item, ReadProcess

Processes = Mapping[str, ReadProcess]


def compare_diagrams(old: Processes, new: Processes, touched: Mapping[str, Collection[str]]) -> list[DiagramChange]:
    """What changes on each process. `touched`: per process the elements whose form or decision table changes."""
    found = []
    for process in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(process), new.get(process)
        changes = _changes(before.items if before else {}, after.items if after else {})
        marks = _marks(changes, touched.get(process, ()), process)
        shown = after or before
        assert shown is not None
        if changes or marks:
            found.append(DiagramChange(
                process=process, name=shown.name,
                kind="added" if before is None else "removed" if after is None else "changed",
                was_in=before.file if before else None, now_in=after.file if after else None,
                changes=tuple(changes), marks=marks,
            ))  # fmt: skip
    return found


def compare_steps(old: Processes, new: Processes) -> Steps:
    """Which numbered steps and which gates there are, and which are gone. A gate with a number is a step too."""
    was, now = _steps(old), _steps(new)
    gates_was, gates_now = _gates(old), _gates(new)

    def missing(here: Mapping[object, str], there: Mapping[object, str]) -> list[str]:
        return [words for key, words in here.items() if key not in there]

    lost = missing(was, now) + [words for words in missing(gates_was, gates_now) if words not in was.values()]
    new_ones = missing(now, was) + [words for words in missing(gates_now, gates_was) if words not in now.values()]
    lost += [f"the gate of {was[key]}" for key in was if key in now and _lost_gate(key, old, new)]
    return Steps(len(was), len(now), len(gates_was), len(gates_now), tuple(lost), tuple(new_ones))


def _steps(processes: Processes) -> dict[object, str]:
    return {
        (process.id, item.step): f"step {item.step}, “{item.name}”,"
        for process in processes.values()
        for item in sorted(process.items.values(), key=lambda item: item.step or 0)
        if item.step is not None
    }


def _gates(processes: Processes) -> dict[object, str]:
    return {
        (process.id, item.id): f"the gate “{item.name}”"
        for process in processes.values() for item in process.items.values() if item.is_gate and item.step is None
    } | {
        (process.id, item.step): f"step {item.step}, “{item.name}”,"
        for process in processes.values() for item in process.items.values() if item.is_gate and item.step is not None
    }  # fmt: skip


def _lost_gate(key: object, old: Processes, new: Processes) -> bool:
    """A step that is still there, but is no longer signed."""
    return key in _gates(old) and key not in _gates(new)


def _changes(old: Mapping[str, Item], new: Mapping[str, Item]) -> list[Change]:
    added, removed = new.keys() - old.keys(), old.keys() - new.keys()
    changes = []
    for item in new.values():
        before = old.get(item.id)
        if before is None:
            changes.append(_whole("added", item, new, added))
        elif details := _details(before.facts, item.facts):
            changes.append(Change("changed", item.id, item.name, item.type, item.step, tuple(details)))
        elif before.place != item.place and before.place and item.place:
            changes.append(Change("moved", item.id, item.name, item.type, item.step, (), _follows(item, old, new)))
    changes += [_whole("removed", item, old, removed) for item in old.values() if item.id in removed]
    return changes


def _whole(kind: Mark, item: Item, items: Mapping[str, Item], others: Collection[str]) -> Change:
    """An element that was added or removed, with all it says."""
    told_above = ("kind", "name", "default flow")
    facts = [*_ways(item, items), *(fact for fact in item.facts if fact.what not in told_above)]
    details = tuple(
        Detail(fact.what, None, fact.shown, fact.code, fact.brief) if kind == "added"
        else Detail(fact.what, fact.shown, None, fact.code, fact.brief)
        for fact in facts
    )  # fmt: skip
    implied = item.ends is not None and any(end in others for end in item.ends)
    return Change(kind, item.id, item.name, item.type, item.step, details, implied)


def _ways(gateway: Item, items: Mapping[str, Item]) -> list[Fact]:
    """What a deciding gateway asks: the condition of each way out."""
    if "gateway" not in gateway.type.lower():
        return []
    found = []
    for flow in items.values():
        if flow.ends is None or flow.ends[0] != gateway.id:
            continue
        target = items[flow.ends[1]].name if flow.ends[1] in items else flow.ends[1]
        condition = next((fact.raw for fact in flow.facts if fact.what == "condition"), None)
        if condition:
            found.append(Fact(f"to {target} if", condition, condition, code=True))
        elif gateway.default == flow.id:
            found.append(Fact("else to", flow.id, target))
    return found


def _details(old: tuple[Fact, ...], new: tuple[Fact, ...]) -> list[Detail]:
    """The facts that differ. Facts of the same name are told apart by their order."""
    before, after = _numbered(old), _numbered(new)
    found = []
    for key in [*after, *(key for key in before if key not in after)]:
        was, now = before.get(key), after.get(key)
        if was is not None and now is not None and was.raw == now.raw:
            continue
        either = now or was
        assert either is not None
        shown_was, shown_now = was.shown if was else None, now.shown if now else None
        if was is not None and now is not None and shown_was == shown_now:  # two things of one name: say which
            shown_was, shown_now = f"{shown_was} ({was.raw})", f"{shown_now} ({now.raw})"
        found.append(Detail(key[0], shown_was, shown_now, either.code, either.brief))
    return found


def _numbered(facts: tuple[Fact, ...]) -> dict[tuple[str, int], Fact]:
    found: dict[tuple[str, int], Fact] = {}
    for fact in facts:
        number = 0
        while (fact.what, number) in found:
            number += 1
        found[fact.what, number] = fact
    return found


def _follows(item: Item, old: Mapping[str, Item], new: Mapping[str, Item]) -> bool:
    """A flow that is drawn otherwise because one of its ends stands elsewhere."""
    if item.ends is None:
        return False
    return any(end in old and end in new and old[end].place != new[end].place for end in item.ends)


def _marks(changes: list[Change], touched: Collection[str], process: str) -> dict[str, Mark]:
    marks: dict[str, Mark] = {
        change.element: change.kind for change in changes if change.kind != "moved" and change.element != process
    }
    for element in touched:
        marks.setdefault(element, "changed")
    return marks
