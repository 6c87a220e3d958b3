"""What a comparison of two versions says: plain, frozen values, every text written for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["added", "removed", "changed", "moved"]
Mark = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Detail:
    """One property that an element, a form or a table has otherwise than before."""

    what: str
    """What it is called: `due`, `field Gift`, `row 5`. Empty where the values speak for themselves."""
    was: str | None
    """How it stood; None: it was not there."""
    now: str | None
    """How it stands; None: it is no longer there."""
    code: bool = False
    """The values are expressions or names of files and operations, not words."""
    brief: bool = True
    """Belongs into one line about an element that was added or removed."""

    @property
    def words(self) -> str:
        """What happened to it: `due changed`, `field Gift added`."""
        happened = "added" if self.was is None else "removed" if self.now is None else "changed"
        return f"{self.what} {happened}".strip()


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one element of a diagram."""

    kind: Kind
    """`moved`: it only stands elsewhere."""
    element: str
    name: str
    type: str
    """What it is, in words: `user task`, `gate`, `flow`, `lane`."""
    step: int | None
    details: tuple[Detail, ...]
    implied: bool = False
    """It follows from another change, such as a flow to an element that was added; marked, and told last."""

    @property
    def summary(self) -> tuple[Detail, ...]:
        """What to say in one line about an element that was added or removed."""
        return tuple(detail for detail in self.details if detail.brief)


@dataclass(frozen=True, slots=True)
class DiagramChange:
    """What changes on one diagram, and on the elements whose form or table changes."""

    process: str
    name: str
    kind: Mark
    """`added`, `removed`: the whole process."""
    was_in: str | None
    """The file that holds the old diagram; None: there was none."""
    now_in: str | None
    changes: tuple[Change, ...]
    marks: Mapping[str, Mark]
    """By element; those whose form or table changes count as changed."""

    @property
    def told(self) -> tuple[Change, ...]:
        """The changes to be told in words, without those that follow from them."""
        return tuple(change for change in self.changes if change.kind != "moved" and not change.implied)

    def count(self, mark: Mark) -> int:
        return sum(found == mark for found in self.marks.values())

    @property
    def moved(self) -> int:
        """How many elements only stand elsewhere; flows that follow an element are not counted."""
        return sum(change.kind == "moved" and not change.implied for change in self.changes)


@dataclass(frozen=True, slots=True)
class User:
    """An element that uses a form or a decision table."""

    process: str
    element: str
    name: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """What changes in one form or one decision table."""

    kind: Mark
    file: str
    name: str
    """Its title, or its file without the ending."""
    used_by: tuple[User, ...]
    details: tuple[Detail, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """The numbered steps and the gates, before and after."""

    was: int
    now: int
    gates_was: int
    gates_now: int
    lost: tuple[str, ...]
    """Steps and gates that are gone, each in words: `step 12, Assign order to shipment courier`."""
    new: tuple[str, ...]

    @property
    def words(self) -> str:
        """`as before`, or what is lost and what is new."""
        said = [f"{one} is lost" for one in self.lost] + [f"{one} is new" for one in self.new]
        return "; ".join(said) or "as before"


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that the new bundle has otherwise than the old one."""

    diagrams: tuple[DiagramChange, ...]
    """Of every process that changes."""
    forms: tuple[FileChange, ...]
    decisions: tuple[FileChange, ...]
    steps: Steps

    @property
    def is_empty(self) -> bool:
        """Nothing changes but the writing: white space, the order of attributes."""
        return not (self.diagrams or self.forms or self.decisions)

    def diagram(self, process: str) -> DiagramChange | None:
        return next((diagram for diagram in self.diagrams if diagram.process == process), None)

    def count(self, kind: Mark) -> int:
        """How many elements are marked so on all diagrams."""
        return sum(diagram.count(kind) for diagram in self.diagrams)

    @property
    def moved(self) -> int:
        return sum(diagram.moved for diagram in self.diagrams)

    def lines(self) -> Iterator[str]:
        """The whole of it as plain text, for the command line and for logs."""
        for diagram in self.diagrams:
            yield f"{diagram.name} ({diagram.process})" + ("" if diagram.kind == "changed" else f": {diagram.kind}")
            for change in diagram.told:
                yield from _lines(change.kind, f"{change.name}, {change.type}", change.details)
            if diagram.moved:
                yield f"  moved only: {diagram.moved}"
        for title, files in (("Forms", self.forms), ("Decision tables", self.decisions)):
            if files:
                yield title
            for file in files:
                users = ", ".join(dict.fromkeys(user.name for user in file.used_by))
                yield from _lines(file.kind, f"{file.name} ({users or 'used by nobody'})", file.details)


_SIGNS: Mapping[Kind, str] = {"added": "+", "removed": "-", "changed": "~", "moved": "="}


def _lines(kind: Kind, title: str, details: tuple[Detail, ...]) -> Iterator[str]:
    yield f"  {_SIGNS[kind]} {title}"
    for detail in details:
        name = f"{detail.what}: " if detail.what else ""
        values = [value for value in (detail.was, detail.now) if value is not None]
        yield f"      {name}{' -> '.join(values)}"
