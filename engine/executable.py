"""What a diagram still lacks to be run, element by element, and the fixes there are.

`make_executable` reads what the linter says of a bundle and names for each finding the mending that takes it away;
`mend` applies one of them. The mendings themselves stand in `engine.foreign`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.errors import Choice, Finding
from engine.foreign.bench import Bench, CannotMend
from engine.foreign.mend_choices import CHOICE_MENDINGS
from engine.foreign.mend_events import EVENT_MENDINGS
from engine.foreign.mend_flows import FLOW_MENDINGS
from engine.foreign.mend_process import PROCESS_MENDINGS
from engine.foreign.mend_tasks import TASK_MENDINGS
from engine.foreign.mending import Mending, Place
from engine.lint import check
from engine.lint.bundle import placed
from handlers.contract import Operation

__all__ = ["CannotMend", "Choice", "Missing", "make_executable", "mend", "missing_of", "with_fixes"]

MAX_LOOKS = 1_000_000
"""Elements that are looked at while fixes are sought, over all findings."""

_MENDINGS: tuple[Mending, ...] = (*PROCESS_MENDINGS, *FLOW_MENDINGS, *CHOICE_MENDINGS, *EVENT_MENDINGS, *TASK_MENDINGS)
_ORDER = (
    "executable", "ids", "rename", "drop", "start", "between", "end", "plain-event", "operation", "decision",
    "called-process", "script", "user-task", "repetition", "split", "cut", "plain-flows", "declare", "code", "timer",
    "unlist", "drop-lanes", "flatten-lanes", "name", "team", "due", "form", "into-lane", "lane-teams", "expression",
    "default", "ask", "given", "field", "remove-extensions",
)
"""What is mended first: structure before kinds, kinds before what tasks need, forms before what reads them."""


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that an element lacks."""

    file: str
    element: str | None
    """None when the file as a whole lacks it."""
    name: str | None
    line: int | None
    rule: str
    missing: str
    """What is wrong or missing."""
    advice: str
    """What a person can do by hand."""
    needed: bool
    """Whether it keeps the bundle from being deployed; otherwise the linter only warns."""
    fix: str | None
    """The fix that follows from the diagram itself; None when there is none, or a person has to choose."""
    label: str | None
    """What the fix does, as the words on a button."""
    others: tuple[Choice, ...] = ()
    """Further fixes to choose from."""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Every fix there is."""
        own = (Choice(self.fix, self.label or self.fix),) if self.fix else ()
        return own + self.others


def make_executable(
    files: Mapping[str, bytes], registry: Mapping[str, Operation], teams: Mapping[str, bool] | None = None
) -> list[Missing]:
    """Everything that a bundle lacks, in the order in which it is best mended; empty when it runs as it is.

    `teams` are those that people can be of, and whether they do tasks; those who do are offered. Never raises.
    """
    return missing_of(check(placed(files), registry, teams), files, registry, teams)


def missing_of(
    findings: Sequence[Finding], files: Mapping[str, bytes], registry: Mapping[str, Operation],
    teams: Mapping[str, bool] | None = None,
) -> list[Missing]:
    """The same of findings that are known already."""
    bench = _bench(files, registry, teams)
    found = [_missing(finding, choices) for finding, choices in _offered(bench, findings)]
    return sorted(
        (one for one in found if one.needed or one.choices), key=lambda one: (not one.needed, _rank(one))
    )


def with_fixes(
    findings: Sequence[Finding], files: Mapping[str, bytes], registry: Mapping[str, Operation],
    teams: Mapping[str, bool] | None = None,
) -> list[Finding]:
    """The findings, each with the fix that follows from the diagram itself, where there is one, and with the others."""
    bench = _bench(files, registry, teams)
    found = [(finding, *_sorted(choices)) for finding, choices in _offered(bench, findings)]
    return [
        replace(finding, fix=sure.fix if sure else finding.fix, label=sure.label if sure else None, others=others)
        for finding, sure, others in found
    ]


def mend(
    files: Mapping[str, bytes], file: str, element: str | None, fix: str, registry: Mapping[str, Operation],
    teams: Mapping[str, bool] | None = None, *, findings: Sequence[Finding] | None = None,
) -> dict[str, bytes]:
    """The files after one fix. What the fix does not concern stays as it was.

    `findings` are what the linter says of the files, if that is known. CannotMend: the element is not offered this
    fix now.
    """
    files = placed(files)
    known = check(files, registry, teams) if findings is None else findings
    bench = _bench(files, registry, teams)
    here = [finding for finding in known if (finding.file, finding.element) == (file, element)]
    if not any(choice.fix == fix for _, choices in _offered(bench, here) for choice, _ in choices):
        raise CannotMend("This fix does not fit the diagram as it is now. Look at the list again.")
    root, xml = bench.root(file), bench.find(file, element)
    name, _, argument = fix.partition(":")
    mending = next(each for each in _MENDINGS if each.name == name)
    assert root is not None
    assert xml is not None
    mending.apply(Place(bench, file, root, xml), argument)
    return bench.written(file)


def _bench(files: Mapping[str, bytes], registry: Mapping[str, Operation], teams: Mapping[str, bool] | None) -> Bench:
    return Bench(placed(files), registry, sorted(team for team, works in (teams or {}).items() if works))


def _offered(
    bench: Bench, findings: Sequence[Finding]
) -> Iterator[tuple[Finding, list[tuple[Choice, bool]]]]:
    """Each finding with its fixes, and whether they follow from the diagram. Large files get fixes for the first."""
    spent = 0
    for finding in findings:
        choices: list[tuple[Choice, bool]] = []
        if finding.file.endswith(".bpmn") and spent < MAX_LOOKS:
            spent += bench.size(finding.file)
            choices = _choices(bench, finding)
        yield finding, choices


def _choices(bench: Bench, finding: Finding) -> list[tuple[Choice, bool]]:
    root, xml = bench.root(finding.file), bench.find(finding.file, finding.element)
    if root is None or xml is None:
        return []
    place = Place(bench, finding.file, root, xml)
    return [
        (Choice(f"{mending.name}:{offer.argument}" if offer.argument else mending.name, offer.label), offer.sure)
        for mending in _MENDINGS if finding.rule in mending.rules for offer in mending.offers(place)
    ]


def _missing(finding: Finding, choices: Sequence[tuple[Choice, bool]]) -> Missing:
    sure, others = _sorted(choices)
    return Missing(
        file=finding.file, element=finding.element, name=finding.name, line=finding.line, rule=finding.rule,
        missing=finding.message, advice=finding.advice, needed=finding.severity == "error",
        fix=sure.fix if sure else None, label=sure.label if sure else None,
        others=others,
    )


def _sorted(choices: Sequence[tuple[Choice, bool]]) -> tuple[Choice | None, tuple[Choice, ...]]:
    """The fix that follows from the diagram, if one does, and the others."""
    sure = next((choice for choice, is_sure in choices if is_sure), None)
    return sure, tuple(choice for choice, _ in choices if choice is not sure)


def _rank(one: Missing) -> int:
    name = (one.choices[0].fix if one.choices else "").partition(":")[0]
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)
