"""The variables that stand for an approval or say how many people sign it: nobody brings them from outside."""

from __future__ import annotations

from collections.abc import Iterable

from engine.definitions import Definition
from engine.expressions import compile_expression


def gate_variables(definition: Definition, process: str) -> dict[str, str]:
    """Variable → the name of the gate that hangs on it, of a process and of those that it calls.

    These are the variable of each gate itself, what its `signatures` read, and what the decision tables among that
    read in turn.
    """
    found: dict[str, str] = {}
    for gate in definition.gates(process):
        found.setdefault(gate.id, gate.name)
        waiting = set(compile_expression(gate.properties.get("signatures", "1")).names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = gate.name
                waiting |= definition.decisions[name].names if name in definition.decisions else frozenset()
    return found


def brought(definition: Definition, process: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Those of these variables that nobody may bring, each with the sentence that says so."""
    kept = gate_variables(definition, process)
    return [(name, f"{name} belongs to the approval of “{kept[name]}”, so nobody gives it.")
            for name in names if name in kept]
