"""JSON Schema and UI schema → fields that one macro renders; a posted HTML form → the document they describe.

The names of inputs are JSON pointers (`/items/0/quantity`), so an error's pointer names its input. What a person typed
is never thrown away: a text that is no number stays in the document as the text it is, and the schema refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from handlers.contract import FieldError
from web.counting import Counting, counting_of
from web.texts import _

Document = dict[str, Any]

CONTROLS = frozenset({"csrf_token", "_action", "_add", "_remove", "_revision", "_draft", "_newest", "_mine"})
"""Inputs that belong to the page, not to the document."""
_NUMBER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
_MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    description: str = ""


@dataclass(slots=True)
class Field:
    """One field of a form, ready to be rendered. `kind` chooses the macro."""

    pointer: str
    kind: str
    """text, textarea, select, radio, check, checks, hidden, group, rows or fixed."""
    label: str
    hint: str
    required: bool
    value: Any
    errors: list[str]
    input_type: str = "text"
    options: list[Option] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    children: list[Field] = field(default_factory=list)
    """Fields of a group; of `rows` the columns, without values."""
    rows: list[list[Field]] = field(default_factory=list)
    row_name: str = ""
    """What one row is called, e.g. `Parcel`."""
    can_add: bool = True
    can_remove: bool = True
    counting: Counting | None = None
    """How its rows are counted by scanning."""

    @property
    def id(self) -> str:
        return "f" + self.pointer.replace("/", "-")

    @property
    def numeric(self) -> bool:
        return self.attributes.get("inputmode") in ("numeric", "decimal")

    @property
    def described_by(self) -> str | None:
        parts = [f"{self.id}-{part}" for part, there in (("hint", self.hint), ("err", self.errors)) if there]
        return " ".join(parts) or None


@dataclass(frozen=True, slots=True)
class Mistake:
    """One line of the error summary: which field it leads to and what it says."""

    target: str
    text: str


@dataclass(slots=True)
class Form:
    """A form as it stands: its fields with what was typed, and what is wrong."""

    fields: list[Field]
    mistakes: list[Mistake]


def build(
    schema: Mapping[str, Any], ui: Mapping[str, Any], data: Mapping[str, Any], errors: Iterable[FieldError] = ()
) -> Form:
    """The form for a document. Errors are shown at their field and listed in the summary, in the form's order."""
    by_pointer: dict[str, list[str]] = {}
    for error in errors:
        by_pointer.setdefault(error.field.rstrip("/") or "/", []).append(error.message)
    fields = _fields(schema, ui, data, "", by_pointer)
    for one in fields:
        one.counting = counting_of(one.pointer[1:], schema, ui) if one.kind == "rows" else None
    mistakes = [mistake for one in fields for mistake in _mistakes(one, by_pointer, "")]
    mistakes += [
        Mistake("form", f"{pointer.strip('/').replace('/', ', ')}: {text}" if pointer.strip("/") else text)
        for pointer, texts in by_pointer.items()
        for text in texts
    ]
    return Form(fields, mistakes)


def parse(schema: Mapping[str, Any], posted: Mapping[str, Sequence[str]]) -> Document:
    """The document in a posted form. An empty input is an absent value and an unticked box is false. An input that the
    schema does not name becomes a property of that name, so that the schema refuses it by name."""
    used: set[str] = set()
    document = _parse_object(schema, posted, "", used)
    for name in posted:
        if name not in used and name not in CONTROLS:
            _put_unknown(document, name, posted[name][-1] if posted[name] else "")
    return document


def add_row(schema: Mapping[str, Any], document: Mapping[str, Any], pointer: str) -> Document:
    """The document with one more empty row in the array at `pointer`."""
    changed: Document = deepcopy(dict(document))
    rows = _rows_at(schema, changed, pointer)
    limit = min(int(_schema_at(schema, pointer).get("maxItems", _MAX_ROWS)), _MAX_ROWS)
    if rows is not None and len(rows) < limit:
        rows.append({})
    return changed


def remove_row(schema: Mapping[str, Any], document: Mapping[str, Any], pointer: str) -> Document:
    """The document without the row at `pointer`, e.g. `/parcels/1`."""
    changed: Document = deepcopy(dict(document))
    parent, _, index = pointer.rpartition("/")
    rows = _rows_at(schema, changed, parent)
    if rows is not None and index.isdigit() and int(index) < len(rows):
        rows.pop(int(index))
    return changed


# --- schema → fields ------------------------------------------------------------------------------------------------


def _fields(
    schema: Mapping[str, Any],
    ui: Mapping[str, Any],
    data: Any,
    at: str,
    errors: dict[str, list[str]],
) -> list[Field]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    order = [name for name in ui.get("ui:order", ()) if name in properties]
    order += [name for name in properties if name not in order]
    required = set(schema.get("required", ()))
    values = data if isinstance(data, Mapping) else {}
    return [
        _field(
            name,
            properties[name],
            ui.get(name, {}),
            values.get(name),
            pointer=f"{at}/{name}",
            required=name in required,
            errors=errors,
        )
        for name in order
    ]


def _field(
    name: str,
    schema: Mapping[str, Any],
    ui: Mapping[str, Any],
    value: Any,
    *,
    pointer: str,
    required: bool,
    errors: dict[str, list[str]],
) -> Field:
    made = Field(
        pointer=pointer,
        kind="text",
        label=str(ui.get("ui:title") or schema.get("title") or name.replace("_", " ").capitalize()),
        hint=str(ui.get("ui:help") or ui.get("ui:description") or schema.get("description") or ""),
        required=required,
        value=value if value is not None else schema.get("default", ""),
        errors=errors.pop(pointer, []),
    )
    type_ = schema.get("type")
    if type_ == "object":
        made.kind = "group"
        made.children = _fields(schema, ui, value, pointer, errors)
    elif type_ == "array":
        _as_array(made, schema, ui, value, errors)
    else:
        _as_scalar(made, schema, ui)
    return made


def _as_array(
    made: Field, schema: Mapping[str, Any], ui: Mapping[str, Any], value: Any, errors: dict[str, list[str]]
) -> None:
    items: Mapping[str, Any] = schema.get("items", {})
    if items.get("type") != "object":
        made.kind = "checks"
        made.options = _options(items)
        made.value = [str(v) for v in value] if isinstance(value, list) else []
        return
    options = ui.get("ui:options", {})
    item_ui = ui.get("items", {})
    made.kind = "rows"
    made.children = _fields(items, item_ui, {}, f"{made.pointer}/-", {})
    made.row_name = str(items.get("title") or _singular(made.label))
    if made.row_name in (child.label for child in made.children):
        made.row_name = _("Line")  # a line of products has a product; it is none
    present = value if isinstance(value, list) else []
    wanted = max(len(present), int(schema.get("minItems", 0)))
    rows = [*present, *({} for _ in range(wanted - len(present)))]
    made.rows = [_fields(items, item_ui, row, f"{made.pointer}/{i}", errors) for i, row in enumerate(rows)]
    for index, row in enumerate(made.rows):
        for text in errors.pop(f"{made.pointer}/{index}", []):
            row[0].errors.append(text)
    made.can_add = bool(options.get("addable", True)) and len(rows) < min(int(schema.get("maxItems", 200)), _MAX_ROWS)
    made.can_remove = bool(options.get("removable", True)) and len(rows) > int(schema.get("minItems", 0))


def _singular(title: str) -> str:
    """What one row of a list is called: of `Parcels` a parcel, of anything less regular a line."""
    return title[:-1] if title.isalpha() and title.endswith("s") and title != "Contents" else _("Line")


def _as_scalar(made: Field, schema: Mapping[str, Any], ui: Mapping[str, Any]) -> None:
    type_, widget = schema.get("type"), ui.get("ui:widget")
    made.options = _options(schema)
    attributes = made.attributes
    if widget == "hidden":
        made.kind = "hidden"
    elif schema.get("readOnly") or ui.get("ui:readonly"):
        made.kind = "fixed"
    elif type_ == "boolean":
        made.kind = "check"
    elif made.options:
        made.kind = "radio" if widget == "radio" else "select"
    elif widget == "textarea":
        made.kind = "textarea"
        attributes["rows"] = ui.get("ui:options", {}).get("rows", 3)
    elif schema.get("format") in ("date", "email"):
        made.input_type = schema["format"]
    if type_ in ("integer", "number") and made.kind == "text":
        # not type=number: it swallows what is no number, and a wheel changes it unseen
        attributes["inputmode"] = "numeric" if type_ == "integer" else "decimal"
    if made.kind in ("text", "textarea"):
        if "maxLength" in schema:
            attributes["maxlength"] = schema["maxLength"]
        if ui.get("ui:placeholder"):
            attributes["placeholder"] = ui["ui:placeholder"]
    if ui.get("ui:autocomplete"):
        attributes["autocomplete"] = ui["ui:autocomplete"]
    if made.kind == "fixed" and made.options:
        made.hint = next((o.label for o in made.options if o.value == str(made.value)), "")


def _options(schema: Mapping[str, Any]) -> list[Option]:
    if "oneOf" in schema:
        return [
            Option(str(o["const"]), str(o.get("title", o["const"])), str(o.get("description", "")))
            for o in schema["oneOf"]
        ]
    return [Option(str(value), str(value).replace("_", " ").capitalize()) for value in schema.get("enum", ())]


def _mistakes(made: Field, rest: dict[str, list[str]], prefix: str) -> list[Mistake]:
    found = [Mistake(made.id, f"{prefix}{made.label}: {text}") for text in made.errors]
    for child in made.children if made.kind == "group" else ():
        found += _mistakes(child, rest, prefix)
    for index, row in enumerate(made.rows, start=1):
        for cell in row:
            found += _mistakes(cell, rest, f"{made.row_name} {index}, ")
    return found


# --- posted form → document -----------------------------------------------------------------------------------------


def _parse_object(schema: Mapping[str, Any], posted: Mapping[str, Sequence[str]], at: str, used: set[str]) -> Document:
    document: Document = {}
    for name, sub in schema.get("properties", {}).items():
        pointer = f"{at}/{name}"
        found, value = _parse_value(sub, posted, pointer, used)
        # a required group is there even when nothing of it was filled, so that each missing field is named
        if found or (value == {} and name in schema.get("required", ())):
            document[name] = value
    return document


def _parse_value(
    schema: Mapping[str, Any], posted: Mapping[str, Sequence[str]], pointer: str, used: set[str]
) -> tuple[bool, Any]:
    type_ = schema.get("type")
    if type_ == "object":
        value = _parse_object(schema, posted, pointer, used)
        return bool(value), value
    if type_ == "array":
        return True, _parse_array(schema, posted, pointer, used)
    used.add(pointer)
    texts = posted.get(pointer, ())
    if type_ == "boolean":
        return True, bool(texts) and texts[-1] not in ("", "false")
    raw = texts[-1] if texts else ""
    text = raw.replace("\r\n", "\n").replace("\0", "").strip()  # nobody types a zero byte, and no database keeps it
    if text == "":
        return False, None
    return True, _typed(schema, text)


def _parse_array(
    schema: Mapping[str, Any], posted: Mapping[str, Sequence[str]], pointer: str, used: set[str]
) -> list[Any]:
    items: Mapping[str, Any] = schema.get("items", {})
    if items.get("type") != "object":
        used.add(pointer)
        return [_typed(items, text) for text in posted.get(pointer, ()) if text]
    start = f"{pointer}/"
    indexes = sorted(
        {int(i) for name in posted if name.startswith(start) and (i := name[len(start) :].partition("/")[0]).isdigit()}
    )[:_MAX_ROWS]
    used.add(f"{pointer}/rows")
    rows = [_parse_object(items, posted, f"{pointer}/{index}", used) for index in indexes]
    return [row for row in rows if not _is_empty(row)]


def _is_empty(row: Mapping[str, Any]) -> bool:
    """A row in which nothing was typed or ticked is no row."""
    return all(value is False or value in ("", []) for value in row.values())


def _typed(schema: Mapping[str, Any], text: str) -> Any:
    for candidate in [o.get("const") for o in schema.get("oneOf", ())] + list(schema.get("enum", ())):
        if str(candidate) == text:
            return candidate
    type_ = schema.get("type")
    if type_ == "integer" and len(text) < 19 and _NUMBER.fullmatch(text):
        return int(text)
    if type_ == "number" and len(text) < 30 and _DECIMAL.fullmatch(text):
        return int(text) if _NUMBER.fullmatch(text) else float(text)
    return text


def _put_unknown(document: Document, name: str, value: str) -> None:
    parts = name.strip("/").split("/")
    holder: Any = document
    for part in parts[:-1]:
        if isinstance(holder, list):
            holder = holder[int(part)] if part.isdigit() and int(part) < len(holder) else None
        elif isinstance(holder, dict):
            holder = holder.get(part)
        if not isinstance(holder, (dict, list)):
            document.setdefault(name, value)
            return
    if isinstance(holder, dict):
        holder.setdefault(parts[-1], value)
    else:
        document.setdefault(name, value)


def _schema_at(schema: Mapping[str, Any], pointer: str) -> Mapping[str, Any]:
    current: Mapping[str, Any] = schema
    for part in pointer.strip("/").split("/"):
        current = current.get("items", {}) if part.isdigit() else current.get("properties", {}).get(part, {})
    return current


def _rows_at(schema: Mapping[str, Any], document: Document, pointer: str) -> list[Any] | None:
    if _schema_at(schema, pointer).get("type") != "array":
        return None
    holder: Any = document
    parts = pointer.strip("/").split("/")
    for part in parts[:-1]:
        holder = holder.setdefault(part, {}) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return None
    rows = holder.setdefault(parts[-1], [])
    return rows if isinstance(rows, list) else None
