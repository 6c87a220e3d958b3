"""The decision tables of a draft: the page of the table editor, and a try by the engine that stores nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, jsonify, make_response, render_template, url_for
from lxml import etree

from engine.bundling import text_of
from engine.decisions import Decision, Input, read_decision
from engine.errors import ExpressionError
from engine.findings import local
from engine.safe_xml import MAX_BYTES, parse_xml
from engine.views import DraftView
from web.headers import use_policy
from web.pages import modeler_files as shelf
from web.pages.shell import me, page_of
from web.permissions import permission
from web.texts import N_, _

SUFFIX = ".dmn"
TRY_LIMIT = MAX_BYTES + 64 * 1024
"""Bytes of one request for a try: the table, and the values."""
_PATH = re.compile(r"[^\W\d_]\w*(\.[^\W\d_]\w*)*")
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,9})?")



def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/modeler/<draft_id>/decisions", "modeler_decisions", first)
    add("/modeler/<draft_id>/decisions", "modeler_new_decision", create, methods=["POST"])
    add("/modeler/<draft_id>/decisions/<name>", "modeler_decision", show)
    add("/modeler/<draft_id>/decisions/<name>/remove", "modeler_remove_decision", remove, methods=["POST"])
    add("/modeler/<draft_id>/decisions/<name>/try", "modeler_try_decision", attempt, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Entry:
    """One table in the list at the side."""

    name: str
    """The file's, without folder and suffix."""
    title: str
    uses: Sequence[shelf.Use]


@permission("processes.write")
def first(draft_id: str) -> Any:
    """The tables of a draft, opened at the first one."""
    draft = shelf.draft_of(draft_id)
    names = table_names(draft.files)
    return _page(draft, names[0] if names else None)


@permission("processes.write")
def show(draft_id: str, name: str) -> Any:
    """One table in the editor. A link may name the file or the decision in it."""
    draft, name = shelf.draft_of(draft_id), shelf.plain(name, SUFFIX)
    found = next(
        (n for n in table_names(draft.files) if name in (n, _id(draft.files[f"processes/{n}{SUFFIX}"], n))), None
    )
    return _page(draft, found) if found else make_response(_page(draft, None, missing=name), 404)


@permission("processes.write")
def create(draft_id: str) -> Any:
    """Adds a small table that the check passes."""
    draft = shelf.draft_of(draft_id)
    name = shelf.asked_name(draft.files, "processes", SUFFIX)
    said = _("%(file)s is new in this draft. A business rule task runs it when it names %(name)s.",
             file=f"{name}{SUFFIX}", name=name)  # fmt: skip
    made: dict[str, bytes | None] = {f"processes/{name}{SUFFIX}": new_table(name).encode()}
    return shelf.change(draft, made, said, url_for("pages.modeler_decision", draft_id=draft.id, name=name))


@permission("processes.write")
def remove(draft_id: str, name: str) -> Any:
    """Takes a table that no task runs out of the draft."""
    draft, name = shelf.draft_of(draft_id), shelf.plain(name, SUFFIX)
    file = f"processes/{name}{SUFFIX}"
    if file not in draft.files:
        abort(404)
    uses = shelf.uses_of(draft.files).decisions.get(_id(draft.files[file], name), [])
    if uses:
        here = url_for("pages.modeler_decision", draft_id=draft.id, name=name)
        return shelf.still_used(f"{name}{SUFFIX}", uses, here)
    said = _("%(file)s is no longer in this draft.", file=f"{name}{SUFFIX}")
    return shelf.change(draft, {file: None}, said, url_for("pages.modeler_decisions", draft_id=draft.id))


@permission("processes.write")
def attempt(draft_id: str, name: str) -> Any:
    """What the unsaved table would answer to these values, by the engine's own evaluation. Stores nothing.

    The body: `xml`, and `values`, texts by the path that an input reads; without `values` only the inputs are told.
    """
    shelf.draft_of(draft_id)
    body = shelf.read_json(TRY_LIMIT)
    xml, values = body.get("xml"), body.get("values")
    if not isinstance(xml, str) or not (values is None or isinstance(values, dict)):
        abort(400)
    file = f"processes/{shelf.plain(name, SUFFIX)}{SUFFIX}"
    decision, _faults = read_decision(xml.encode("utf-8", "surrogatepass"), file)
    if decision is None:
        return jsonify(readable=False, asks=[])
    asks = asks_of(decision)
    if values is None:
        return jsonify(readable=True, asks=asks)
    given = {str(path): str(text) for path, text in values.items() if isinstance(text, str | int | float)}
    variables, faults = variables_of(asks, given)
    if faults:
        return make_response(jsonify(readable=True, asks=asks, faults=faults), 422)
    try:
        rows, outputs = decision.fired(variables), decision.evaluate(variables)
    except ExpressionError as error:
        return make_response(jsonify(readable=True, asks=asks, problem=str(error)), 422)
    fired = [{"row": row, "description": decision.rules[row - 1].description} for row in rows]
    return jsonify(
        readable=True, asks=asks, fired=fired, outputs=outputs, decision=decision.id, policy=decision.hit_policy
    )


# --- trying ----------------------------------------------------------------------------------------------------------


def asks_of(decision: Decision) -> list[dict[str, Any]]:
    """What has to be known to try a table: every path that it reads, with label, kind, and the values its rows name."""
    asks: dict[str, dict[str, Any]] = {}
    for index, column in enumerate(decision.inputs):
        plain = _PATH.fullmatch(column.expression.text) is not None
        for path in sorted(column.expression.paths):
            ask = asks.setdefault(path, {"path": path, "label": path, "kind": None, "values": []})
            if plain:  # else the column computes something of it, and its cells are not about this value
                ask["label"], ask["kind"] = column.label, column.type
                named = _cell_values(decision, index, column)
                ask["values"] = list(dict.fromkeys([*ask["values"], *named]))
    for rule in decision.rules:
        for path in sorted(frozenset[str]().union(*(output.paths for output in rule.outputs))):
            asks.setdefault(path, {"path": path, "label": path, "kind": None, "values": []})
    longest = [path for path in asks if not any(other.startswith(f"{path}.") for other in asks)]
    return [asks[path] for path in longest]


def _cell_values(decision: Decision, index: int, column: Input) -> list[str]:
    cells = [rule.cells[index] for rule in decision.rules]
    return [str(cell.value) for cell in cells if cell.test == "==" and column.type in ("string", None)]


def variables_of(asks: Sequence[Mapping[str, Any]], given: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The variables that these texts stand for, and what is wrong with a text, by its path."""
    variables: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for ask in asks:
        path, text = ask["path"], given.get(ask["path"], "").strip()
        value, fault = _typed(text, ask["kind"])
        if fault:
            faults[path] = fault
            continue
        holder = variables
        *parents, last = path.split(".")
        for part in parents:
            holder = holder.setdefault(part, {})
        if text:
            holder[last] = value
    return variables, faults


def _typed(text: str, kind: str | None) -> tuple[Any, str | None]:
    """A typed text as a value of a column's kind; of no kind, as what it looks like."""
    if kind in ("number", None) and _NUMBER.fullmatch(text):
        value = float(text) if "." in text else int(text)
        return (value, None) if math.isfinite(value) else (None, _("Enter a number."))
    if kind == "number" and text:
        return None, _("Enter a number, such as 12 or 0.5.")
    if kind in ("boolean", None) and text in ("true", "false"):
        return text == "true", None
    if kind == "boolean" and text:
        return None, _("Choose true or false.")
    return text, None


# --- the page --------------------------------------------------------------------------------------------------------


def table_names(files: Mapping[str, bytes]) -> list[str]:
    """The decision tables among the files of a draft, without folder and suffix."""
    return sorted(
        file.removeprefix("processes/").removesuffix(SUFFIX)
        for file in files if file.startswith("processes/") and file.endswith(SUFFIX)
    )  # fmt: skip


def not_run(data: bytes | None) -> list[str]:
    """What a file holds beside one table, in sentences: it is kept when the table is saved, and never run."""
    root = parse_xml(data, "")[0] if data else None
    if root is None:
        return []
    said = []
    decisions = [node for node in root if local(node) == "decision"]
    for node in decisions:
        logic = next((kind for kind in map(local, node) if kind in _LOGIC), None)
        if logic != "decisionTable":
            said.append(_(_LOGIC.get(logic or "", _NO_TABLE), name=_named(node)))
    if len(decisions) > 1:
        said.append(_("It holds %(count)s decisions: %(names)s. Keep one in a file.", count=len(decisions),
                      names=", ".join(map(_named, decisions))))  # fmt: skip
    needs = sum(local(node) in ("informationRequirement", "knowledgeRequirement") for node in root.iter())
    if needs:
        said.append(_("Its decision diagram (DRD) joins decisions and inputs; only the table itself is run."))
    models = [node for node in root if local(node) == "businessKnowledgeModel"]
    return said + [_(_LOGIC["functionDefinition"], name=_named(node)) for node in models]


_LOGIC = {
    "decisionTable": N_("“%(name)s” is a table."),
    "literalExpression": N_("“%(name)s” is a literal expression."),
    "invocation": N_("“%(name)s” is a call."),
    "context": N_("“%(name)s” is a context."),
    "relation": N_("“%(name)s” is a relation."),
    "list": N_("“%(name)s” is a list."),
    "functionDefinition": N_("“%(name)s” is a boxed function."),
}
_NO_TABLE = N_("“%(name)s” is a decision without a table.")


def _named(node: etree._Element) -> str:
    return " ".join((node.get("name") or node.get("id") or "nameless").split())[:80]


def new_table(name: str) -> str:
    """A table of two rows that the check passes, named so."""
    return render_template("parts/new_table.xml", id=name, name=name.replace("_", " ").capitalize())


def _id(data: bytes, file: str) -> str:
    """The decision's id; the file's name while it cannot be read."""
    decision, _faults = read_decision(data, file)
    return decision.id if decision else file


def _page(draft: DraftView, name: str | None, *, missing: str | None = None) -> Response | str:
    use_policy("diagram")
    uses = shelf.uses_of(draft.files).decisions
    entries, known = [], set()
    for one in table_names(draft.files):
        decision, _faults = read_decision(draft.files[f"processes/{one}{SUFFIX}"], one)
        key = decision.id if decision else one
        known.add(key)
        entries.append(Entry(one, decision.name if decision else one, uses.get(key, ())))
    chosen = next((entry for entry in entries if entry.name == name), None)
    file = f"processes/{name}{SUFFIX}"
    text = text_of(file, draft.files.get(file, b""))
    return page_of(
        "modeler_decisions.html", section="modeler", draft=draft, name=name, missing=missing, entries=entries,
        chosen=chosen, xml=text, uses=chosen.uses if chosen else (), closed=draft.state != "open",
        me=me().name, people=shelf.people(draft), not_run=not_run(draft.files.get(f"processes/{name}{SUFFIX}")),
        wanted=sorted(key for key in uses if key and key not in known),
    )  # fmt: skip
