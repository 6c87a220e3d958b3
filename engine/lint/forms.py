"""Forms: the subset of JSON Schema that the pages draw and the engine checks, and the UI schema beside it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema

from engine.errors import Finding
from engine.findings import Report
from engine.lint.model import Form

MAX_BYTES = 256 * 1024
MAX_FIELDS = 200
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAME = re.compile(r"[^\W\d_]\w{0,59}")
_ANYWHERE = {"title", "description", "type", "default", "examples", "$comment", "readOnly", "writeOnly"}
_KEYWORDS = {
    "string": {"minLength", "maxLength", "pattern", "format", "enum", "oneOf", "const"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "oneOf", "const"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "oneOf", "const"},
    "boolean": {"const", "oneOf", "enum"},
    "array": {"items", "minItems", "maxItems", "uniqueItems"},
    "object": {"properties", "required", "additionalProperties"},
}
_FORMATS = {"date", "email"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,),
}
_UI_KEYS = {
    "ui:order", "ui:widget", "ui:help", "ui:options", "ui:placeholder", "ui:title", "ui:description", "ui:autofocus",
    "ui:readonly", "ui:disabled", "ui:autocomplete", "ui:emptyValue", "ui:scan", "ui:each",
}
_WIDGETS = {"textarea", "radio", "select", "text", "checkbox", "checkboxes", "date", "email", "hidden", "updown"}


@lru_cache(maxsize=256)
def read_form(file: str, data: bytes) -> Form:
    """Reads and checks one form. Never raises. The same form again costs nothing; nobody changes what is returned."""
    report = _JsonReport(file)
    document = _load(report, data)
    if document is None:
        return Form(file, None, report)
    if not isinstance(document, dict):
        report.at("", "form-root", "The form is not an object.", 'Begin with {"type": "object", …}.')
        return Form(file, None, report)
    _check_root(report, document)
    return Form(file, document, report)


def check_ui(file: str, data: bytes, form: Form | None) -> list[Finding]:
    """Everything that is wrong with a UI schema. Never raises."""
    report = _JsonReport(file)
    document = _load(report, data)
    if form is None:
        report.at("", "ui-form", "No form stands beside it.", "Name it like its form: receive_order.ui.json.")
    elif isinstance(document, dict):
        _check_ui_level(report, document, form.schema or {}, "")
    elif document is not None:
        report.at("", "ui-root", "It is not an object.", 'Begin with {"ui:order": […]}.')
    return report.findings


class _JsonReport(Report):
    """Findings in a JSON file are named by the path to the field."""

    def at(self, path: str, rule: str, message: str, advice: str, *, warn: bool = False) -> None:
        if len(self.findings) < MAX_FIELDS:
            self.findings.append(
                Finding(
                    self.file, path[:200] or None, None, None, rule, message, advice, "warning" if warn else "error"
                )
            )


def _load(report: _JsonReport, data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        report.at("", "json-size", f"The file has {len(data):,} bytes.", "At most 256 KB are allowed.")
        return None
    try:
        return _whole(json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite))
    except RecursionError:
        report.at("", "json-depth", "The file is nested too deeply.", "A form has fields and one level of lists.")
    except json.JSONDecodeError as error:
        report.at(
            "", "json-syntax", f"The file is not JSON: {error.msg} in line {error.lineno}.", "Correct that line."
        )
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        report.at("", "json-syntax", f"The file holds {half}, half a character.", "Write the whole character.")
    except (ValueError, MemoryError) as error:
        report.at("", "json-syntax", f"The file cannot be read: {str(error)[:200]}.", "Save it again as JSON in UTF-8.")
    return None


def _whole(value: Any) -> Any:
    """The value, when it can be written again. UnicodeEncodeError: it escapes half a character, as `\\ud800`."""
    json.dumps(value, ensure_ascii=False).encode()
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _check_root(report: _JsonReport, schema: dict[str, Any]) -> None:
    if schema.get("$schema", DIALECT) != DIALECT:
        report.at("/$schema", "form-dialect", "The form is written for another JSON Schema.", f'Write "{DIALECT}".')
    if schema.get("type") != "object":
        report.at("/type", "form-root", "The form's type is not object.", 'Write "type": "object".')
        return
    for path, key in _forbidden(schema, ""):
        report.at(path, "form-name", f"The key {key[:60]!r} may not occur in a form.", "Use another name.")
    extra = {"$schema", "$id"}
    fields = _check_object(report, {k: v for k, v in schema.items() if k not in extra}, "", depth=0)
    if fields > MAX_FIELDS:
        report.at("", "form-size", f"The form has {fields} fields.", f"At most {MAX_FIELDS} are allowed.")
    if any(finding.severity == "error" for finding in report.findings):
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        path = "".join(f"/{part}" for part in error.absolute_path)
        report.at(path, "form-schema", f"{error.message[:200]}.", "Correct the keyword.")
        return
    for path, value in (("/default", schema.get("default")), *_examples(schema)):
        if value is not None:
            _check_example(report, schema, path, value)


def _examples(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(f"/examples/{index}", value) for index, value in enumerate(schema.get("examples", []))]


def _check_example(report: _JsonReport, schema: dict[str, Any], path: str, value: Any) -> None:
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker(["date", "email"]))
    error = next(iter(validator.iter_errors(value)), None)
    if error is not None:
        where = "".join(f"/{part}" for part in error.absolute_path)
        report.at(path + where, "form-example", f"It does not fit the form: {error.message[:200]}.", "Correct one.")


def _forbidden(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Keys that would make an instance unloadable or lead a renderer elsewhere, at any level."""
    waiting = [(path, value)]
    while waiting:
        where, item = waiting.pop()
        if isinstance(item, dict):
            for key, inner in item.items():
                if key == "typename" or key.lower().startswith("x-") or "$ref" in key.lower():
                    yield f"{where}/{key}", key
                waiting.append((f"{where}/{key}", inner))
        elif isinstance(item, list):
            waiting.extend((f"{where}/{index}", inner) for index, inner in enumerate(item))


def _check_object(report: _JsonReport, schema: dict[str, Any], path: str, *, depth: int) -> int:
    """Checks an object's fields; returns how many there are below it."""
    _check_keywords(report, schema, path, "object")
    if schema.get("additionalProperties") is not False:
        report.at(
            path + "/additionalProperties", "form-additional", "The form takes fields that it does not name.",
            'Write "additionalProperties": false at every object.',
        )
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        report.at(path + "/properties", "form-fields", "The fields are not an object.", "Write name: field pairs.")
        return 0
    required = schema.get("required", [])
    for name in required if isinstance(required, list) else [required]:
        if not isinstance(name, str) or name not in properties:
            report.at(
                path + "/required", "form-required", f"{str(name)[:60]!r} is required and is no field.",
                "Add the field, or take it off the list.",
            )
    count = 0
    for name, field in properties.items():
        where = f"{path}/properties/{name}"
        if not _NAME.fullmatch(name):
            report.at(
                where, "form-name", f"{name[:60]!r} cannot be the name of a field.",
                "Use letters, digits and _ only, a letter first, so that expressions can read it.",
            )
        count += 1 + _check_field(report, field, where, depth=depth)
    return count


def _check_field(report: _JsonReport, field: Any, path: str, *, depth: int) -> int:
    kind = field.get("type") if isinstance(field, dict) else None
    if not isinstance(field, dict) or not isinstance(kind, str) or kind not in _KEYWORDS:
        report.at(
            path + "/type", "form-type", "The field has no type that a form can show.",
            "Use string, number, integer, boolean, or an array of objects.",
        )
        return 0
    if kind == "object" or (kind == "array" and depth > 0):
        report.at(
            path, "form-nesting", "The field is nested deeper than a form can show.",
            "A form has plain fields, pick lists and one level of lists of objects.",
        )
        return 0
    _check_keywords(report, field, path, kind)
    if not isinstance(field.get("title"), str) or not field["title"].strip():
        report.at(path + "/title", "form-title", "The field has no title.", "Say what is wanted.", warn=True)
    if kind == "array":
        return _check_array(report, field, path)
    _check_choices(report, field, path, kind)
    if kind == "string":
        _check_string(report, field, path)
    return 0


def _check_keywords(report: _JsonReport, field: dict[str, Any], path: str, kind: str) -> None:
    for name in sorted(set(field) - _KEYWORDS[kind] - _ANYWHERE):
        if name.lower().startswith("x-") or "$ref" in name.lower():
            continue  # refused as a name
        report.at(
            f"{path}/{name}", "form-keyword", f"The keyword {name[:60]!r} is not supported on a field of type {kind}.",
            "Remove it; a business rule belongs into the operation that takes the form.",
        )


def _check_array(report: _JsonReport, field: dict[str, Any], path: str) -> int:
    maximum = field.get("maxItems")
    if isinstance(maximum, bool) or not isinstance(maximum, int) or not 0 < maximum <= 1000:
        report.at(
            path + "/maxItems", "form-max-items", "The list may grow without end.", 'Write "maxItems", at most 1000.'
        )
    items = field.get("items")
    if isinstance(items, dict) and items.get("type") == "string" and ("oneOf" in items or "enum" in items):
        _check_keywords(report, items, path + "/items", "string")
        _check_choices(report, items, path + "/items", "string")
        if field.get("uniqueItems") is not True:
            report.at(path, "form-items", "A choice may be ticked twice.", 'Write "uniqueItems": true.')
        return 0
    if not isinstance(items, dict) or items.get("type") != "object":
        report.at(
            path + "/items", "form-items", "The list holds neither objects nor choices.",
            'Write "items": {"type": "object", "additionalProperties": false, "properties": {…}}, '
            "or a string with a pick list.",
        )
        return 0
    return _check_object(report, items, path + "/items", depth=1)


def _check_string(report: _JsonReport, field: dict[str, Any], path: str) -> None:
    maximum = field.get("maxLength")
    is_chosen = any(name in field for name in ("enum", "oneOf", "const"))
    if not is_chosen and (isinstance(maximum, bool) or not isinstance(maximum, int) or not 0 < maximum <= 10_000):
        report.at(
            path + "/maxLength", "form-max-length", "The text may be as long as it likes.",
            'Write "maxLength", at most 10000.',
        )
    if "format" in field and field["format"] not in _FORMATS:
        report.at(path + "/format", "form-format", "The format is not checked.", "Use date or email, or a pattern.")
    pattern = field.get("pattern")
    if pattern is not None:
        _check_pattern(report, pattern, maximum, path)


def _check_pattern(report: _JsonReport, pattern: Any, maximum: Any, path: str) -> None:
    reason = None
    if not isinstance(pattern, str) or len(pattern) > 200:
        reason = "it is too long or no text"
    elif _may_run_long(pattern):
        reason = "a group may not be repeated, and at most three repetitions are allowed"
    elif not isinstance(maximum, int) or maximum > 200:
        reason = "a text with a pattern has at most 200 characters; set maxLength"
    else:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            reason = str(error)
    if reason:
        report.at(path + "/pattern", "form-pattern", f"The pattern cannot be used: {reason}.", "Write a plain one.")


def _may_run_long(pattern: str) -> bool:
    """True if matching could take more than a moment: a search tries every way to share a text among repetitions."""
    plain = re.sub(r"\\\D", "c", pattern)  # an escaped character is one character
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "c", plain)  # and so is a class of them
    repeated = len(re.findall(r"[*+{]", plain))
    return repeated > 3 or re.search(r"\)[*+{]|\(\?|\\\d", plain) is not None


def _check_choices(report: _JsonReport, field: dict[str, Any], path: str, kind: str) -> None:
    if "enum" in field and "oneOf" in field:
        report.at(path, "form-choices", "The field has both enum and oneOf.", "Keep one of them.")
    values = field.get("enum")
    if "oneOf" in field:
        entries = field["oneOf"]
        if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
            report.at(
                path + "/oneOf", "form-choices", "A pick list has entries of const, title and perhaps description.",
                'Write {"const": "courier_a", "title": "Courier A"}.',
            )
            return
        values = [entry["const"] for entry in entries]
    if values is None:
        return
    if not isinstance(values, list) or not values:
        report.at(path, "form-choices", "The pick list is empty.", "Add an entry.")
        return
    if len({json.dumps(value) for value in values}) != len(values):
        report.at(path, "form-choices", "An entry stands twice in the pick list.", "Remove one.")
    for value in values:
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            report.at(path, "form-choices", f"The entry {str(value)[:40]!r} is not a {kind}.", "Correct the entry.")


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not {"const", "title"} <= set(entry) <= {"const", "title", "description"}:
        return False
    return all(isinstance(entry.get(name, ""), str) for name in ("title", "description"))


def _check_ui_level(report: _JsonReport, ui: dict[str, Any], schema: Any, path: str) -> None:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    fields = properties if isinstance(properties, dict) else {}
    for key, value in ui.items():
        where = f"{path}/{key}"
        if key == "ui:scan":
            _check_scan(report, value, schema, where)
        elif key.startswith("ui:"):
            _check_ui_key(report, key, value, where, fields)
        elif key == "items" and isinstance(schema, dict) and schema.get("type") == "array" and isinstance(value, dict):
            _check_ui_level(report, value, schema.get("items"), where)
        elif key not in fields:
            report.at(where, "ui-field", f"The form has no field {key[:60]!r}.", "Correct the name, or remove it.")
        elif not isinstance(value, dict):
            report.at(where, "ui-field", "What is said of a field is not an object.", 'Write {"ui:help": "…"}.')
        else:
            _check_ui_level(report, value, fields[key], where)


def _check_ui_key(report: _JsonReport, key: str, value: Any, path: str, fields: dict[str, Any]) -> None:
    if key not in _UI_KEYS:
        report.at(path, "ui-key", f"{key[:60]!r} is not known.", f"Known are {', '.join(sorted(_UI_KEYS))}.")
    elif key == "ui:order":
        names = value if isinstance(value, list) else []
        unknown = [name for name in names if name != "*" and (not isinstance(name, str) or name not in fields)]
        listed = {str(name) for name in names}
        missing = [] if "*" in listed else [name for name in fields if name not in listed]
        if not isinstance(value, list) or unknown or missing or len(names) != len(listed):
            named = ", ".join(str(name)[:40] for name in [*unknown, *missing][:5]) or "a name stands twice"
            report.at(path, "ui-order", f"The order does not list every field once: {named}.", "Correct the list.")
    elif key == "ui:widget" and (not isinstance(value, str) or value not in _WIDGETS):
        report.at(
            path, "ui-widget", f"There is no widget {str(value)[:40]!r}.", f"Use {', '.join(sorted(_WIDGETS))}."
        )
    elif key == "ui:options" and not isinstance(value, dict):
        report.at(path, "ui-options", "The options are not an object.", 'Write {"rows": 3}.')
    elif key in ("ui:help", "ui:title", "ui:description", "ui:placeholder") and not isinstance(value, str):
        report.at(path, "ui-text", f"{key} is not a text.", "Write it in quotes.")
    elif key == "ui:each" and (value is not True or path.count("/") != 2):
        report.at(path, "ui-each", "This is said of a whole field, and is true.", 'Write "ui:each": true at a field.')


def _check_scan(report: _JsonReport, value: Any, schema: Any, path: str) -> None:
    """Rows that are counted by scanning: which field is scanned, which counts, and which says into what."""
    items = schema.get("items") if isinstance(schema, dict) and schema.get("type") == "array" else None
    columns = items.get("properties") if isinstance(items, dict) else None
    if not isinstance(columns, dict):
        report.at(path, "ui-scan", "Only rows are counted by scanning.", "Move it to a list of objects.")
        return
    if not isinstance(value, dict) or not {"code", "count"} <= set(value) <= {"code", "count", "group"}:
        report.at(
            path, "ui-scan", "It does not say what is scanned and what counts.",
            'Write {"code": "sku", "count": "quantity"}, and "group" for the field that says into what.',
        )
        return
    for part, kind in (("code", "string"), ("count", "integer"), ("group", "integer")):
        name = value.get(part)
        column = columns.get(name) if isinstance(name, str) else None
        if part in value and (not isinstance(column, dict) or column.get("type") != kind):
            report.at(
                f"{path}/{part}", "ui-scan", f"{str(name)[:60]!r} is no field of type {kind} of these rows.",
                "Name one of them.",
            )
