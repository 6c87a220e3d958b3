"""Sorts the files of a bundle, runs the rules over them and looks at what the files have to do with each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.decisions import read_decision
from engine.errors import Finding
from engine.findings import Report
from engine.joins import Joins
from engine.lint.elements import check_elements
from engine.lint.events import check_events
from engine.lint.foreign import check_foreign
from engine.lint.forms import check_ui, read_form
from engine.lint.journey import check_journey
from engine.lint.lanes import check_lanes
from engine.lint.model import ACTIVITIES, Context, Diagram, Node, Scope, read_diagram
from engine.lint.picture import check_picture
from engine.lint.structure import check_extent, check_structure, fits
from engine.lint.tasks import check_tasks
from engine.lint.variables import check_variables
from engine.safe_xml import MAX_BYTES as MAX_FILE
from engine.safe_xml import parse_xml
from engine.specs import parse
from engine.standard import read_booleans
from handlers.contract import Operation

MAX_FILES = 200
MAX_BYTES = 20 * 1024 * 1024
_FILE = re.compile(r"(?:(?P<folder>processes|forms)/)?(?P<name>[A-Za-z0-9_][\w.-]{0,120}\.(?P<kind>bpmn|dmn|json))")
_RULES: tuple[Callable[[Context, Diagram], None], ...] = (
    check_elements, check_structure, check_lanes, check_tasks, check_events, check_variables, check_journey,
    check_foreign, check_picture,
)


def placed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files under the names that a bundle bears: an upload may leave out the folders."""
    return {
        file if "/" in file else f"{'forms' if file.endswith('.json') else 'processes'}/{file}": data
        for file, data in files.items()
    }


def check(
    files: Mapping[str, bytes], operations: Mapping[str, Operation], teams: Mapping[str, bool] | None = None
) -> list[Finding]:
    """Everything that is wrong with a bundle, named by file, element and line; empty when it can be deployed.

    Keys are `processes/x.bpmn`, `processes/x.dmn`, `forms/x.json`, `forms/x.ui.json`, or these names without a folder.
    `teams` are those that people can be of, and whether they do tasks; without them any team will do. A bundle whose
    findings are all warnings can be deployed too. Never raises, whatever the bytes are; `guard` puts a deadline on it.
    """
    context, findings = read(files, operations, teams)
    for diagram in context.diagrams:
        for rule in _RULES:
            _guarded(findings, diagram.file, lambda rule=rule, diagram=diagram: rule(context, diagram))  # type: ignore[misc]
        _guarded(findings, diagram.file, lambda diagram=diagram: _check_calls(context, diagram))  # type: ignore[misc]
        findings.extend(diagram.report.findings)
    _guarded(findings, "forms", lambda: findings.extend(_check_unused(context)))
    _guarded(findings, "bundle", lambda: findings.extend(_check_called_ids(context)))
    if context.diagrams and not any(finding.severity == "error" for finding in findings):
        findings.extend(_check_parsed(context))
    return findings


def read(
    files: Mapping[str, bytes], operations: Mapping[str, Operation], teams: Mapping[str, bool] | None = None
) -> tuple[Context, list[Finding]]:
    """What the rules look at, and what is wrong with the files before any rule has looked. Never raises."""
    bundle = Report("bundle")
    sorted_files = _sort(_bounded(files, bundle), bundle)
    context = Context(operations, teams, getattr(operations, "messages", frozenset()))
    findings = list(bundle.findings)
    _guarded(findings, "forms", lambda: findings.extend(_read_forms(context, sorted_files)))
    _guarded(findings, "decision tables", lambda: findings.extend(_read_decisions(context, sorted_files)))
    findings.extend(_read_diagrams(context, sorted_files))
    return context, findings


def _bounded(files: Mapping[str, bytes], report: Report) -> dict[str, bytes]:
    """As many of the files as are taken, the smallest first; the others are named."""
    kept: dict[str, bytes] = {}
    size = 0
    for file in sorted(files, key=lambda name: (len(files[name]), name)):
        size += len(files[file])
        if len(kept) < MAX_FILES and size <= MAX_BYTES:
            kept[file] = files[file]
        elif len(files[file]) > MAX_FILE:
            kept[file] = b" " * (MAX_FILE + 1)  # is refused by itself, whatever it holds
            size -= len(files[file])
        else:
            report.error(
                None, "bundle-size", f"With {file[:120]!r} the bundle is too large.",
                f"At most {MAX_FILES} files and {MAX_BYTES // 1024**2} MB are taken together.",
            )
    return kept


def _guarded(findings: list[Finding], what: str, rule: Callable[[], None]) -> None:
    """Runs one rule; a file that is broken in a way no rule foresaw is a finding too."""
    try:
        rule()
    except Exception as error:  # noqa: BLE001 - uploaded files must never end in a traceback
        report = Report(what)
        report.error(
            None, "unreadable", f"It could not be checked ({type(error).__name__}: {str(error)[:120]}).",
            "Open it in the editor, save it again, and report it if that does not help.",
        )
        findings.extend(report.findings)


def _sort(files: Mapping[str, bytes], report: Report) -> dict[str, dict[str, tuple[str, bytes]]]:
    """The files by kind and plain name, with the name they came under."""
    found: dict[str, dict[str, tuple[str, bytes]]] = {"bpmn": {}, "dmn": {}, "form": {}, "ui": {}}
    for file, data in sorted(files.items()):
        match = _FILE.fullmatch(file)
        kind = match["kind"] if match else ""
        if match is None or match["folder"] == ("processes" if kind == "json" else "forms"):
            report.error(
                None, "file-name", f"{file[:120]!r} does not belong into a bundle.",
                "A bundle holds processes/*.bpmn, processes/*.dmn and forms/*.json.",
            )
            continue
        name = match["name"]
        if kind == "json":
            kind = "ui" if name.endswith(".ui.json") else "form"
        if name in found[kind]:
            report.error(None, "file-name", f"{name[:120]!r} is there twice.", "Keep one of them.")
        found[kind][name] = (file, data)
    if not found["bpmn"]:
        report.error(None, "no-diagram", "The bundle holds no diagram.", "Add a .bpmn file.")
    return found


def _read_forms(context: Context, files: Mapping[str, Mapping[str, tuple[str, bytes]]]) -> list[Finding]:
    findings: list[Finding] = []
    for name, (file, data) in files["form"].items():
        form = read_form(file, data)
        context.forms[name] = form
        findings.extend(form.report.findings)
    for name, (file, data) in files["ui"].items():
        findings.extend(check_ui(file, data, context.forms.get(name.removesuffix(".ui.json") + ".json")))
    return findings


def _read_decisions(context: Context, files: Mapping[str, Mapping[str, tuple[str, bytes]]]) -> list[Finding]:
    findings: list[Finding] = []
    for name, (file, data) in files["dmn"].items():
        decision, found = read_decision(data, file)
        findings.extend(found)
        key = decision.id if decision is not None else name.removesuffix(".dmn")
        if key in context.decisions:
            report = Report(file)
            report.error(None, "decision-twice", f"Two files hold a decision {key!r}.", "Keep one of them.")
            findings.extend(report.findings)
        context.decisions[key] = decision
    return findings


def _read_diagrams(context: Context, files: Mapping[str, Mapping[str, tuple[str, bytes]]]) -> list[Finding]:
    findings: list[Finding] = []
    for file, data in files["bpmn"].values():
        root, found = parse_xml(data, file)
        findings.extend(found)
        if root is not None:
            read_booleans(root)
            report = Report(file)
            if not fits(root, report):
                findings.extend(report.findings)
                continue
            diagram = read_diagram(file, root, report)
            check_extent(context, diagram)
            if diagram.report.has_errors:
                findings.extend(diagram.report.findings)
            else:
                context.diagrams.append(diagram)
    return findings


def _check_calls(context: Context, diagram: Diagram) -> None:
    """What processes have to do with each other: calls and cancellations."""
    processes = context.processes
    for process in diagram.processes:
        undo = process.properties.get("cancellation")
        if undo is not None and (undo not in processes or undo == process.id):
            diagram.report.error(
                process.xml, "cancellation", f"Its cancellation {undo[:60]!r} is no other process of the bundle.",
                "Name the process that undoes it, and add its diagram.",
            )
        elif undo is not None and "cancellation" in processes[undo].properties:
            diagram.report.error(
                processes[undo].xml, "cancellation", "A process that cancels cannot be cancelled itself.",
                "Remove its property cancellation.",
            )
        for node in diagram.nodes(process):
            if node.kind == "callActivity":
                called = node.xml.get("calledElement", "")
                if called not in processes:
                    diagram.report.error(
                        node.xml, "called-process", f"It calls {called[:60]!r}, which is no process of the bundle."
                        if called else "It calls no process.", "Choose the process, and add its diagram.",
                    )
                elif process.id in _called(context, called):
                    diagram.report.error(
                        node.xml, "calls-itself", f"The process {process.id!r} comes to call itself.",
                        "Draw the repetition as a loop.",
                    )


def _check_called_ids(context: Context) -> list[Finding]:
    """What runs together is told apart by its ids: tasks, calls and timers of a process and of those that it calls."""
    findings: list[Finding] = []
    named: set[Node] = set()
    for start in context.processes:
        seen: dict[str, Node] = {}
        for name in sorted(_called(context, start) & context.processes.keys(), key=lambda name: (name != start, name)):
            process = context.processes[name]
            for node in process.diagram.nodes(process):
                twin = seen.setdefault(node.id, node)
                if twin.scope.process is process or node in named or not _is_told_by_id(node, twin):
                    continue
                named.add(node)
                report = Report(process.diagram.file)
                report.error(
                    node.xml, "duplicate-id",
                    f"The id {node.id[:80]!r} is used by {twin.scope.process.id!r} too, and the two run together.",
                    "Give one of them another id.",
                )
                findings.extend(report.findings)
    return findings


def _is_told_by_id(*nodes: Node) -> bool:
    """Whether tasks, jobs or variables bear the id of one of these elements; starts, gateways and ends have none."""
    return any(node.kind in ACTIVITIES or node.kind in ("intermediateCatchEvent", "boundaryEvent") for node in nodes)


def _called(context: Context, start: str) -> set[str]:
    """A process and all that it calls."""
    by_process: dict[Scope, list[str]] = {}
    for diagram in context.diagrams:
        for node in diagram.nodes():
            if node.kind == "callActivity":
                by_process.setdefault(node.scope.process, []).append(node.xml.get("calledElement", ""))
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            scope = context.processes.get(name)
            waiting.extend(by_process.get(scope, ()) if scope is not None else ())
    return seen


def _check_unused(context: Context) -> list[Finding]:
    used = {node.properties.get("formJsonSchemaFilename") for each in context.diagrams for node in each.nodes()}
    findings: list[Finding] = []
    for name, form in context.forms.items():
        if name not in used:
            report = Report(form.file)
            report.warning(None, "unused-form", "No user task shows this form.", "Name it on its task, or remove it.")
            findings.extend(report.findings)
    return findings


def _check_parsed(context: Context) -> list[Finding]:
    """The last word has the engine's own parser, on what every rule has passed."""
    report = Report("bundle")
    try:
        specs = parse({diagram.file: diagram.root for diagram in context.diagrams})
    except Exception as error:  # noqa: BLE001 - the parser raises whatever comes
        report.error(
            None, "engine", f"The engine cannot read the diagrams: {str(error)[:300]}.",
            "Open them in the editor and save them again.",
        )
        return report.findings
    parts = [part.task_specs for main, subs in specs.values() for part in (main, *subs.values())]
    return [finding for diagram in context.diagrams for finding in _check_starving(diagram, parts)]


def _check_starving(diagram: Diagram, parts: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """A join to which a branch may never come: a choice on the way leads it elsewhere, or to its end."""
    report = Report(diagram.file)
    nodes = {node.id: node for node in diagram.nodes()}
    cancelling = {node.id for node in nodes.values() if node.properties.get("cancels", "false") != "false"}
    for part in parts:
        joins = Joins(part, cancelling)
        starving = {part[name].bpmn_id for name in joins.starving()} if joins.exist else set()
        for element in sorted(starving & set(nodes)):
            report.warning(
                nodes[element].xml, "join-may-starve",
                "A branch may end or turn off before it comes here: the order would then wait here for ever.",
                "Lead every way of each branch to it, or let the choice come after it.",
            )
    return report.findings
