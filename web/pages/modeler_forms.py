"""The forms of a draft: their JSON beside a preview by the operators' own macro, and a try that stores nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, abort, jsonify, make_response, render_template, request, url_for
from markupsafe import Markup

from engine.errors import Finding, InvalidForm
from engine.forms import check as check_data
from engine.forms import check_values
from engine.lint.forms import check_ui, read_form
from engine.views import DraftView
from handlers.contract import FieldError
from web import forms
from web.names import who
from web.pages import modeler_files as shelf
from web.pages.json_places import place_of, places
from web.pages.shell import me, page_of
from web.permissions import permission
from web.texts import N_, _, ngettext

SUFFIX, UI_SUFFIX = ".json", ".ui.json"
PREVIEW_LIMIT = 1024 * 1024
"""Bytes of one request for a preview: both texts, and what was typed into it."""
MODES = frozenset({"look", "fill", "check", "add", "remove"})
STAND_IN = N_("An entry of the list")
"""What can be chosen in the preview of a pick list whose entries are not in the form."""
_AND, _OR = N_("%(some)s and %(last)s"), N_("%(some)s or %(last)s")
NEW_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False,
    "properties": {"note": {"type": "string", "title": "Note", "maxLength": 500}}, "required": [],
}  # fmt: skip
NEW_UI = {"ui:order": ["note"], "note": {"ui:widget": "textarea"}}


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/modeler/<draft_id>/forms", "modeler_forms", first)
    add("/modeler/<draft_id>/forms", "modeler_new_form", create, methods=["POST"])
    add("/modeler/<draft_id>/forms/<name>", "modeler_form", show)
    add("/modeler/<draft_id>/forms/<name>/remove", "modeler_remove_form", remove, methods=["POST"])
    add("/modeler/<draft_id>/forms/<name>/preview", "modeler_form_preview", preview, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Entry:
    """One form in the list at the side."""

    name: str
    uses: Sequence[shelf.Use]


@permission("processes.write")
def first(draft_id: str) -> Any:
    """The forms of a draft, opened at the first one."""
    draft = shelf.draft_of(draft_id)
    names = form_names(draft.files)
    return _page(draft, names[0] if names else None)


@permission("processes.write")
def show(draft_id: str, name: str) -> Any:
    """One form: its two texts and its preview. A form that a task names and that is not there yet can be made here."""
    draft, name = shelf.draft_of(draft_id), shelf.plain(name, SUFFIX)
    if f"forms/{name}{SUFFIX}" in draft.files:
        return _page(draft, name)
    return make_response(_page(draft, None, missing=name), 404)


@permission("processes.write")
def create(draft_id: str) -> Any:
    """Adds a form: empty but for a note, or a copy of another one of the draft."""
    draft = shelf.draft_of(draft_id)
    name = shelf.asked_name(draft.files, "forms", SUFFIX)
    source = shelf.plain(request.form.get("copy_of", ""), SUFFIX)
    made: dict[str, bytes | None]
    if source:
        if f"forms/{source}{SUFFIX}" not in draft.files:
            abort(404)
        made = {
            f"forms/{name}{suffix}": draft.files[f"forms/{source}{suffix}"]
            for suffix in (SUFFIX, UI_SUFFIX) if f"forms/{source}{suffix}" in draft.files
        }  # fmt: skip
    else:
        schema = {**NEW_SCHEMA, "title": name.replace("_", " ").capitalize()}
        made = {f"forms/{name}{SUFFIX}": pretty(schema), f"forms/{name}{UI_SUFFIX}": pretty(NEW_UI)}
    file = f"{name}{SUFFIX}"
    said = _("%(file)s is a copy of %(source)s.", file=file, source=f"{source}{SUFFIX}") if source \
        else _("%(file)s is new in this draft.", file=file)  # fmt: skip
    return shelf.change(draft, made, said, url_for("pages.modeler_form", draft_id=draft.id, name=name))


@permission("processes.write")
def remove(draft_id: str, name: str) -> Any:
    """Takes a form that no task shows out of the draft."""
    draft, name = shelf.draft_of(draft_id), shelf.plain(name, SUFFIX)
    if f"forms/{name}{SUFFIX}" not in draft.files:
        abort(404)
    uses = shelf.uses_of(draft.files).forms.get(f"{name}{SUFFIX}", [])
    here = url_for("pages.modeler_form", draft_id=draft.id, name=name)
    if uses:
        return shelf.still_used(f"{name}{SUFFIX}", uses, here)
    gone: dict[str, bytes | None] = {
        f"forms/{name}{suffix}": None for suffix in (SUFFIX, UI_SUFFIX) if f"forms/{name}{suffix}" in draft.files
    }
    said = _("%(file)s is no longer in this draft.", file=f"{name}{SUFFIX}")
    return shelf.change(draft, gone, said, url_for("pages.modeler_forms", draft_id=draft.id))


@permission("processes.write")
def preview(draft_id: str, name: str) -> Any:
    """Draws unsaved texts as the operator would see them, and says what is wrong with them. Stores nothing.

    The body: `schema` and `ui` (texts), `mode` (look: as the task opens; fill: as it was typed; check: as it was typed,
    with the faults that completing would find; add, remove: with one row more or less at `row`), and `typed`, the
    inputs by their names.
    """
    draft, name = shelf.draft_of(draft_id), shelf.plain(name, SUFFIX)
    asked = _asked(shelf.read_json(PREVIEW_LIMIT))
    look = _Look(name, asked, draft)
    return make_response(jsonify(look.answer()), 422 if look.errors else 200)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page sends for a preview."""

    schema: str
    ui: str
    mode: str
    row: str
    typed: Mapping[str, Sequence[str]]


def _asked(body: Mapping[str, Any]) -> Asked:
    texts = [body.get(key, "") for key in ("schema", "ui", "mode", "row")]
    typed = body.get("typed", {})
    if not all(isinstance(text, str) for text in texts) or not isinstance(typed, dict) or texts[2] not in MODES:
        abort(400)
    inputs = {
        str(key): [str(value) for value in values] for key, values in typed.items() if isinstance(values, list)
    }
    return Asked(texts[0], texts[1], texts[2], texts[3], inputs)


@dataclass
class _Look:
    """One preview while it is made."""

    name: str
    asked: Asked
    draft: DraftView
    errors: tuple[FieldError, ...] = ()
    document: dict[str, Any] | None = None
    """What completing the task would hand over; only when a check found nothing."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    """Labels of the pick lists whose entries come when the task opens."""

    def answer(self) -> dict[str, Any]:
        """The preview as HTML, and the findings with their places."""
        self._check()
        uses = shelf.uses_of(self.draft.files).forms.get(f"{self.name}{SUFFIX}", [])
        schema, ui = read_object(self.asked.schema), read_object(self.asked.ui) if self.asked.ui.strip() else {}
        form = None
        if schema is not None and ui is not None:
            try:
                form = self._form(schema, ui, uses)
            except (AttributeError, KeyError, TypeError, ValueError):
                form = None  # a form of another shape than forms have; the findings say where
        text = json.dumps(self.document, indent=2, ensure_ascii=False) if self.document is not None else ""
        lists = Markup(_list([Markup("<b>{}</b>").format(one) for one in self.lists], _AND))  # noqa: S704 - escaped
        html = render_template(
            "parts/form_preview.html", form=form, uses=uses, lists=lists,
            contexts=_list(named(uses, "formContext"), _OR),
            said_next=_said_next(named(uses, "onComplete")), document=self.document, document_text=text,
            blocked=self.asked.mode == "check" and self._broken,
            focus=self.asked.row if self.asked.mode == "add" else None,
        )  # fmt: skip
        return {"html": html, "drawn": form is not None, "findings": self.findings}

    @property
    def _broken(self) -> bool:
        return any(finding["severity"] == "error" for finding in self.findings)

    def _check(self) -> None:
        """The linter's findings on these two texts alone, at once; the page asks for those of the whole draft later."""
        schema, ui = self.asked.schema, self.asked.ui
        file, look = f"forms/{self.name}{SUFFIX}", f"forms/{self.name}{UI_SUFFIX}"
        form = read_form(file, schema.encode("utf-8", "surrogatepass"))
        self.findings = placed(form.report.findings, schema)
        if ui.strip():  # an empty look is no file
            found = check_ui(look, ui.encode("utf-8", "surrogatepass"), form)
            if form.schema is None:  # which fields there are is not known, so none can be missed
                found = [finding for finding in found if finding.rule.startswith("json-")]
            self.findings += placed(found, ui)

    def _form(self, schema: dict[str, Any], ui: dict[str, Any], uses: Sequence[shelf.Use]) -> forms.Form:
        mode, typed = self.asked.mode, forms.parse(schema, self.asked.typed)
        if mode == "look":
            typed = example_of(schema)
        elif mode == "add":
            typed = forms.add_row(schema, typed, self.asked.row)
        elif mode == "remove":
            typed = forms.remove_row(schema, typed, self.asked.row)
        elif mode == "check" and not self._broken:  # a pattern that the linter refuses could run for minutes
            try:
                check_values(typed)
                check_data(schema, typed)
                self.document = typed
            except InvalidForm as refused:
                self.errors = refused.errors
        form = forms.build(schema, ui, typed, self.errors)
        self.lists = mark_lists(form.fields, ui, named(uses, "formContext"))
        return form


# --- reading ---------------------------------------------------------------------------------------------------------


def form_names(files: Mapping[str, bytes]) -> list[str]:
    """The forms among the files of a draft, without folder and suffix."""
    return sorted(
        file.removeprefix("forms/").removesuffix(SUFFIX)
        for file in files if file.startswith("forms/") and file.endswith(SUFFIX) and not file.endswith(UI_SUFFIX)
    )  # fmt: skip


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def example_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form's own first example; an empty document when it has none."""
    examples = schema.get("examples")
    found = examples[0] if isinstance(examples, list) and examples else {}
    return dict(found) if isinstance(found, dict) else {}


def _said_next(operations: Sequence[str]) -> str:
    """What would be done with an input that the form takes."""
    if not operations:
        return _("The task would be done. Nothing was stored.")
    return ngettext(
        "%(operations)s would look at it next, and may refuse it for a reason of the business. Nothing was stored.",
        "%(operations)s would look at it next, and may refuse it for a reason of the business. Nothing was stored.",
        len(operations), operations=_list(operations, _AND),
    )  # fmt: skip


def _list(names: Sequence[str], joined: str) -> str:
    """`a`, `a and b`, `a, b and c`; empty for none."""
    *some, last = names or ("",)
    return _(joined, some=", ".join(some), last=last) if some else last


def named(uses: Sequence[shelf.Use], role: str) -> list[str]:
    """The operations that the tasks of a form name in this property."""
    return sorted({use.properties[role] for use in uses if use.properties.get(role)})


def mark_lists(fields: Sequence[forms.Field], ui: Mapping[str, Any], contexts: Sequence[str]) -> list[str]:
    """Draws a pick list whose entries come when the task opens (products, countries) as one; returns their labels.

    Such a field is a text that its look calls a select. Without a task that names `formContext` nobody gives entries,
    and the operator sees what is drawn then: a text.
    """
    found: dict[str, None] = {}
    for one in fields:
        if one.kind == "rows":
            for row in (*one.rows, one.children):
                found |= dict.fromkeys(mark_lists(row, _under(ui, one, "items"), contexts))
        elif one.kind == "text" and _under(ui, one).get("ui:widget") == "select":
            if contexts:
                one.kind, one.options = "select", [forms.Option("entry", _(STAND_IN))]
                found[one.label] = None
            else:
                said = _("A text: no task names an operation (formContext) that gives entries.")
                one.hint = f"{one.hint} {said}".strip()
    return list(found)


def _under(ui: Mapping[str, Any], one: forms.Field, *more: str) -> Mapping[str, Any]:
    found: Any = ui.get(one.pointer.rpartition("/")[2], {})
    for key in more:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def placed(findings: Sequence[Finding], text: str) -> list[dict[str, Any]]:
    """Findings of a JSON file with line and column: of the path they name, or where the text stops being JSON."""
    try:
        json.loads(text)
        stops = None
    except json.JSONDecodeError as error:
        stops = (error.lineno, error.colno)
    except (ValueError, RecursionError):
        stops = (1, 1)
    known = places(text) if stops is None else {}
    made = []
    for finding in findings:
        line, column = stops or (1, 1)
        if stops is None:
            place = place_of(known, finding.element or "")
            line, column = place.line, place.column
        made.append({
            "file": finding.file, "path": finding.element, "line": finding.line or line, "column": column,
            "rule": finding.rule, "message": finding.message, "advice": finding.advice, "severity": finding.severity,
        })  # fmt: skip
    return made


def pretty(value: Any) -> bytes:
    """JSON as the editor writes it."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


# --- the page --------------------------------------------------------------------------------------------------------


def _page(draft: DraftView, name: str | None, *, missing: str | None = None) -> Response | str:
    uses = shelf.uses_of(draft.files)
    names = form_names(draft.files)
    schema, ui = (draft.files.get(f"forms/{name}{suffix}") for suffix in (SUFFIX, UI_SUFFIX))
    return page_of(
        "modeler_forms.html", section="modeler", draft=draft, name=name, missing=missing,
        entries=[Entry(one, uses.forms.get(f"{one}{SUFFIX}", ())) for one in names],
        wanted=sorted(form.removesuffix(SUFFIX) for form in uses.forms if form.removesuffix(SUFFIX) not in names),
        uses=uses.forms.get(f"{name}{SUFFIX}", ()), schema=shelf.text_of(schema), ui=shelf.text_of(ui),
        has_ui=ui is not None, closed=draft.state != "open", me=me().name, people=shelf.people(draft),
        by=who(draft.updated_by),
    )  # fmt: skip
