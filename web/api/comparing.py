"""The comparison of two versions of a process."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.diff import Difference
from engine.errors import NotFound
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Output, Query

calls = Calls("processes")

_LARGEST = 2**31 - 1


class TwoVersions(Query):
    """Which versions are compared."""

    old: int | None = Field(
        None, alias="from", ge=1, le=_LARGEST, description="The older version; by default the one that `to` builds on."
    )
    new: int | None = Field(
        None, alias="to", ge=1, le=_LARGEST, description="The newer version; by default the newest, deployed or not."
    )


class DetailOut(Output):
    """One property that is otherwise than before."""

    what: str = Field(description="What it is called: `due`, `field Gift`, `row 5`.")
    was: str | None = Field(description="null: it was not there.")
    now: str | None = Field(description="null: it is no longer there.")


class ElementChange(Output):
    """What became of one element."""

    kind: Literal["added", "removed", "changed", "moved"] = Field(description="moved: it only stands elsewhere.")
    element: str
    name: str
    type: str = Field(description="In words: user task, gate, flow.")
    step: int | None
    details: list[DetailOut]
    implied: bool = Field(description="It follows from another change, such as a flow to an element that was added.")


class DiagramOut(Output):
    """What changes on one diagram."""

    process: str
    name: str
    kind: Literal["added", "removed", "changed"]
    changes: list[ElementChange]
    marks: dict[str, Literal["added", "removed", "changed"]] = Field(
        description="By element; those whose form or table changes count as changed."
    )


class UserOut(Output):
    """An element that uses a form or a decision table."""

    process: str
    element: str
    name: str


class FileOut(Output):
    """What changes in one form or decision table."""

    kind: Literal["added", "removed", "changed"]
    file: str
    name: str
    used_by: list[UserOut]
    details: list[DetailOut]


class StepsOut(Output):
    """The numbered steps and the gates, before and after."""

    was: int
    now: int
    gates_was: int
    gates_now: int
    lost: list[str]
    new: list[str]
    words: str


class DifferenceOut(Output):
    """Everything that one version has otherwise than another."""

    key: str
    old: int = Field(serialization_alias="from")
    new: int = Field(serialization_alias="to")
    is_empty: bool = Field(description="Nothing changes but the writing.")
    diagrams: list[DiagramOut]
    forms: list[FileOut]
    decisions: list[FileOut]
    steps: StepsOut


@calls.get(
    "/processes/<key>/diff", permission="processes.read", query=TwoVersions,
    returns={200: DifferenceOut}, problems=(404,),
)  # fmt: skip
def compare_versions(caller: Caller, key: str, query: TwoVersions) -> DifferenceOut:
    """Compare two versions of a process, element by element, in words."""
    engine = caller.services.engine
    known = {version.version: version for version in engine.versions(key)}
    if not known:
        raise NotFound(f"There is no process {key}.")
    new = max(known) if query.new is None else query.new
    if new not in known:
        raise NotFound(f"There is no version {new} of {key}.")
    old = query.old if query.old is not None else known[new].base_version or new
    if old not in known:
        raise NotFound(f"There is no version {old} of {key}.")
    return _shown(key, old, new, engine.difference(key, old, new))


def _shown(key: str, old: int, new: int, found: Difference) -> DifferenceOut:
    return DifferenceOut(
        key=key, old=old, new=new, is_empty=found.is_empty,
        diagrams=[DiagramOut.model_validate(diagram) for diagram in found.diagrams],
        forms=[FileOut.model_validate(form) for form in found.forms],
        decisions=[FileOut.model_validate(table) for table in found.decisions],
        steps=StepsOut.model_validate(found.steps),
    )  # fmt: skip
