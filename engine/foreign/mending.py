"""What a mending is: the rules it answers, what it offers for one element, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lxml import etree

from engine.findings import local
from engine.foreign.bench import Bench


@dataclass(frozen=True, slots=True)
class Place:
    """One element on the bench."""

    bench: Bench
    file: str
    root: etree._Element
    xml: etree._Element

    @property
    def kind(self) -> str:
        return local(self.xml)

    def at(self, xml: etree._Element) -> Place:
        """Another element of the same file."""
        return Place(self.bench, self.file, self.root, xml)


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to mend one element."""

    label: str
    """What it would do, as the words on a button."""
    argument: str = ""
    """What was chosen, where there is a choice, e.g. the team."""
    sure: bool = True
    """Whether it follows from what the diagram says; otherwise a person has to choose it."""


@dataclass(frozen=True, slots=True)
class Mending:
    """One kind of mending, named by its fix id."""

    name: str
    rules: tuple[str, ...]
    """Rules of the linter whose findings it takes away."""
    offers: Callable[[Place], Iterable[Offer]]
    apply: Callable[[Place, str], None]


def always(label: str) -> Callable[[Place], Iterable[Offer]]:
    """The offer that fits every element its rules speak of."""
    return lambda place: [Offer(label)]  # noqa: ARG005
