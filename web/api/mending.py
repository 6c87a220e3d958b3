"""Making a draft executable: what its diagrams lack, element by element, and the fixes that are applied by a call."""

from __future__ import annotations

from pydantic import Field

from engine.bundling import text_of
from engine.definitions import Bundle
from engine.executable import Choice, Missing, mend, missing_of
from engine.views import DraftView
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Input, Output, Time
from web.api.processes import ChoiceOut

calls = Calls("drafts")


class MissingOut(Output):
    """One thing that an element lacks."""

    file: str
    element: str | None = Field(description="Null when the file as a whole lacks it.")
    name: str | None
    line: int | None
    rule: str
    missing: str
    advice: str
    needed: bool = Field(description="Whether it keeps the draft from being deployed.")
    fix: str | None = Field(description="The fix that follows from the diagram; null: none does, or somebody chooses.")
    label: str | None
    others: list[ChoiceOut] = Field(description="Further fixes to choose from.")


class MissingList(Output):
    """What a draft lacks, in the order in which it is best mended."""

    revision: int = Field(description="The revision that was looked at; a fix names it.")
    items: list[MissingOut]


class Mend(Input):
    """One fix of one element."""

    file: str = Field(max_length=140)
    element: str | None = Field(None, max_length=200)
    fix: str = Field(max_length=200)
    revision: int = Field(ge=1, le=2**31 - 1, description="The revision that the list was made of.")


class Mended(Output):
    """How the draft stands after the fix, and what it still lacks."""

    revision: int
    updated_at: Time
    updated_by: str
    changed: list[str] = Field(description="The files that the fix changed or made.")
    before: dict[str, str | None] = Field(
        description="Their texts before it, to be saved again when it was not meant; null: there was no such file.")
    items: list[MissingOut]


@calls.get("/drafts/<id>/missing", permission="processes.write", returns={200: MissingList}, problems=(404,))
def list_missing(caller: Caller, id: str) -> MissingList:  # noqa: A002 - the path's own word
    """List what a draft lacks to be executable, each with its fixes."""
    draft = caller.services.engine.draft(id)
    return MissingList(revision=draft.revision, items=_items(_missing(caller, draft)))


@calls.post(
    "/drafts/<id>/mend", permission="processes.write", body=Mend, returns={200: Mended}, problems=(404, 409),
)  # fmt: skip
def mend_draft(caller: Caller, id: str, body: Mend) -> Mended:  # noqa: A002
    """Apply one fix to a draft. 409 `draft-changed` when somebody has saved after `revision`; 409 when the element is
    not offered this fix."""
    engine = caller.services.engine
    draft = engine.draft(id)
    if draft.revision != body.revision:  # somebody has saved meanwhile: the engine says who and when
        engine.save_draft(id, caller.actor, revision=body.revision, files={})
    findings = engine.check(Bundle(draft.files))
    teams = engine.working_teams()
    after = mend(draft.files, body.file, body.element, body.fix, engine.registry, teams, findings=findings)
    changed = {name: data for name, data in after.items() if draft.files.get(name) != data}
    saved = engine.save_draft(id, caller.actor, revision=body.revision, files=changed)
    return Mended(
        revision=saved.revision, updated_at=saved.updated_at, updated_by=saved.updated_by, changed=sorted(changed),
        before={name: text_of(name, draft.files[name]) if name in draft.files else None for name in sorted(changed)},
        items=_items(_missing(caller, saved)),
    )


def _missing(caller: Caller, draft: DraftView) -> list[Missing]:
    engine = caller.services.engine
    return missing_of(engine.check(Bundle(draft.files)), draft.files, engine.registry, engine.working_teams())


def _items(missing: list[Missing]) -> list[MissingOut]:
    return [
        MissingOut(
            file=one.file, element=one.element, name=one.name, line=one.line, rule=one.rule, missing=one.missing,
            advice=one.advice, needed=one.needed, fix=one.fix, label=one.label,
            others=[_choice(other) for other in one.others],
        )
        for one in missing
    ]


def _choice(choice: Choice) -> ChoiceOut:
    return ChoiceOut(fix=choice.fix, label=choice.label)
