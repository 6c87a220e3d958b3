"""Forms for user tasks of other tools: the fields that their diagram holds, or a plain one that only says done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from lxml import etree

from engine.foreign.bench import Bench, property_of, title_of, word_of
from engine.foreign.vendors import vendor_attribute, vendor_children
from engine.lint.model import tag

CHOICE = "choice"
"""The field in which a person says which way to go."""
_MAX_FIELDS = 60
_KINDS = {"string": "string", "long": "integer", "integer": "integer", "int": "integer", "double": "number",
          "number": "number", "boolean": "boolean", "date": "date", "enum": "enum", "textfield": "string",
          "textarea": "string", "checkbox": "boolean", "select": "enum", "radio": "enum",
          "datetime": "date"}  # fmt: skip


def form_for(root: etree._Element, xml: etree._Element) -> dict[str, Any]:
    """The form of a user task: with its vendor's fields, or with a note and the button that completes it."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, field, needed in (*_camunda_fields(xml), *_form_js_fields(root, xml)):
        if name in properties or len(properties) >= _MAX_FIELDS:
            continue
        properties[name] = field
        if needed:
            required.append(name)
    if not properties:
        properties["note"] = {"type": "string", "title": "Note", "maxLength": 2000}
    return _form(title_of(xml), properties, required)


def is_derived(root: etree._Element, xml: etree._Element) -> bool:
    """Whether the diagram itself holds fields for the task."""
    return any(True for _ in (*_camunda_fields(xml), *_form_js_fields(root, xml)))


def start_fields(process: etree._Element) -> list[tuple[str, dict[str, Any], bool]]:
    """The fields that a vendor's start event asks for."""
    start = process.find(tag("startEvent"))
    return list(_camunda_fields(start)) if start is not None else []


def start_form(process: etree._Element, read: set[str]) -> dict[str, Any]:
    """The form of a start event with its vendor's fields; those that conditions read must be filled in."""
    fields = start_fields(process)[:_MAX_FIELDS]
    return _form(
        title_of(process), {name: field for name, field, _ in fields},
        [name for name, _, needed in fields if needed or name in read],
    )


def question(title: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    """A form that asks which of several ways to go: value and what a person reads."""
    return _form(title, {CHOICE: _pick(title, choices)}, [CHOICE])


def with_choice(form: dict[str, Any], name: str, title: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    """The form with one more question."""
    return with_field(form, name, _pick(title, choices))


def with_field(form: dict[str, Any], name: str, field: dict[str, Any]) -> dict[str, Any]:
    """The form with one more field that must be filled in."""
    properties = {**form.get("properties", {}), name: field}
    return {**form, "properties": properties, "required": sorted({*form.get("required", []), name})}


def read(bench: Bench, xml: etree._Element) -> tuple[str, dict[str, Any]] | None:
    """File and content of the form that a user task names; None when it has none that can be read."""
    name = property_of(xml, "formJsonSchemaFilename")
    data = bench.files.get(f"forms/{name}")
    if not name or data is None:
        return None
    with suppress(ValueError, RecursionError):
        form = json.loads(data)
        if isinstance(form, dict) and isinstance(form.get("properties", {}), dict):
            return f"forms/{name}", form
    return None


def written(form: dict[str, Any]) -> bytes:
    """A form as a file."""
    return (json.dumps(form, ensure_ascii=False, indent=2) + "\n").encode()


def _form(title: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    form: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title[:200], "type": "object",
        "additionalProperties": False, "properties": properties,
    }
    return form | ({"required": required} if required else {})


def _pick(title: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "type": "string", "title": title[:200], "oneOf": [{"const": value, "title": text} for value, text in choices]
    }


def _field(kind: str, title: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    found = _KINDS.get(kind.lower(), "string")
    if found == "enum" and choices:
        return _pick(title, choices)
    if found == "date":
        return {"type": "string", "title": title[:200], "format": "date", "maxLength": 10}
    if found in ("string", "enum"):
        return {"type": "string", "title": title[:200], "maxLength": 2000}
    return {"type": found, "title": title[:200]}


def _camunda_fields(xml: etree._Element) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """`formData/formField` of Camunda 7, `formProperty` of Flowable and Activiti."""
    for item in vendor_children(xml, "formField", "formProperty"):
        name = word_of(item.get("id") or "", "field")
        choices = [
            (value.get("id") or "", value.get("name") or value.get("id") or "") for value in item.iterchildren()
            if isinstance(value.tag, str) and etree.QName(value).localname == "value" and value.get("id")
        ]
        needed = item.get("required") == "true" or any(
            isinstance(each.tag, str) and each.get("name") == "required" for each in item.iter()
        )
        kind = item.get("type") or "string"
        title = item.get("label") or item.get("name") or name
        # a box that is not ticked is an answer too, and a condition reads it
        yield name, _field(kind, title, choices), needed or kind == "boolean"


def _form_js_fields(root: etree._Element, xml: etree._Element) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """The form that Camunda 8 keeps as JSON in the process and names in the task's form key."""
    keys = [item.get("formKey", "") for item in vendor_children(xml, "formDefinition")]
    keys.append(vendor_attribute(xml, "formKey"))
    wanted = {key.rpartition(":")[2] for key in keys if key}
    if not wanted:
        return
    for process in root.iterfind(tag("process")):
        for item in vendor_children(process, "userTaskForm"):
            if item.get("id") in wanted:
                yield from _components(item.text or "")


def _components(text: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    form: Any = None
    with suppress(ValueError, RecursionError):
        form = json.loads(text)
    components = form.get("components") if isinstance(form, dict) else None
    for item in components if isinstance(components, list) else []:
        if not isinstance(item, dict) or not isinstance(item.get("key"), str) or item.get("disabled") is True:
            continue
        values = item.get("values") if isinstance(item.get("values"), list) else []
        choices = [
            (each["value"], str(each.get("label") or each["value"])) for each in values or []
            if isinstance(each, dict) and isinstance(each.get("value"), str)
        ]
        validate = item.get("validate")
        needed = isinstance(validate, dict) and validate.get("required") is True
        kind = str(item.get("type"))
        yield (word_of(item["key"], "field"), _field(kind, str(item.get("label") or item["key"]), choices),
               needed or kind == "checkbox")
