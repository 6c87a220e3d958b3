"""What a version counts on at each element: variables that every way to it has written, and what reads them later.

An instance that came to an element on another version may lack them.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.lint.bundle import read
from engine.lint.dataflow import known_before
from engine.lint.variables import reads
from engine.lint.writers import writes
from handlers.contract import Operation


class CountsOn:
    """Of one bundle that can be deployed."""

    def __init__(self, files: Mapping[str, bytes], operations: Mapping[str, Operation]) -> None:
        self._context, _ = read(files, operations)
        self._known = known_before(self._context)
        self._places = {
            node.id: (diagram, node) for diagram in self._context.diagrams for node in diagram.nodes()
        }

    def surely(self, element: str) -> frozenset[str]:
        """What is written on every way to an element; empty when there is no such element."""
        return self._known.surely(self._places[element][1]) if element in self._places else frozenset()

    def reads(self, element: str) -> frozenset[str]:
        """What its expressions read."""
        return reads(self._context, *self._places[element]) if element in self._places else frozenset()

    def writers(self, name: str) -> frozenset[str]:
        """The elements that write a variable."""
        return frozenset(id_ for id_, (_, node) in self._places.items() if name in writes(node))
