"""The linter's rules about forms: only what the pages can draw, and no field without a bound."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.lint_bundle import FORM, GOOD_UI, UI, findings_of, good_bundle, rules, spoiled_form

Form = dict[str, Any]


def put(*path: str, value: Any) -> Callable[[Form], None]:
    """A change that sets one value."""

    def change(form: Form) -> None:
        *parents, last = path
        for key in parents:
            form = form[key]
        form[last] = value

    return change


def drop(*path: str) -> Callable[[Form], None]:
    """A change that removes one key."""

    def change(form: Form) -> None:
        *parents, last = path
        for key in parents:
            form = form[key]
        del form[last]

    return change


P = "properties"
CHANGES = [
    # change, path, rule
    (put("type", value="array"), "/type", "form-root"),
    (put("$schema", value="http://json-schema.org/draft-07/schema#"), "/$schema", "form-dialect"),
    (drop("additionalProperties"), "/additionalProperties", "form-additional"),
    (put("additionalProperties", value=True), "/additionalProperties", "form-additional"),
    (drop(P, "items", "items", "additionalProperties"),
     "/properties/items/items/additionalProperties", "form-additional"),
    (drop(P, "sku", "maxLength"), "/properties/sku/maxLength", "form-max-length"),
    (put(P, "sku", "maxLength", value=10**9), "/properties/sku/maxLength", "form-max-length"),
    (put(P, "sku", "maxLength", value=True), "/properties/sku/maxLength", "form-max-length"),
    (drop(P, "items", "maxItems"), "/properties/items/maxItems", "form-max-items"),
    (put(P, "typename", value={"type": "boolean", "title": "T"}), "/properties/typename", "form-name"),
    (put(P, "items", "items", P, "typename", value={"type": "boolean", "title": "T"}),
     "/properties/items/items/properties/typename", "form-name"),
    (put(P, "sku", "x-$ref", value="https://elsewhere.example"), "/properties/sku/x-$ref", "form-name"),
    (put(P, "sku", "$ref", value="#/a"), "/properties/sku/$ref", "form-name"),
    (put(P, "two words", value={"type": "boolean", "title": "T"}), "/properties/two words", "form-name"),
    (put(P, "_hidden", value={"type": "boolean", "title": "T"}), "/properties/_hidden", "form-name"),
    (put("required", value=["gone"]), "/required", "form-required"),
    (put("required", value="sku"), "", "form-schema"),
    (put(P, value=[]), "/properties", "form-fields"),
    (put(P, "sku", "type", value="null"), "/properties/sku/type", "form-type"),
    (put(P, "sku", "type", value=["string", "null"]), "/properties/sku/type", "form-type"),
    (put(P, "sku", value=True), "/properties/sku/type", "form-type"),
    (put(P, "sku", "type", value="object"), "/properties/sku", "form-nesting"),
    (put(P, "items", "items", P, "deep", value={"type": "array", "title": "T"}),
     "/properties/items/items/properties/deep", "form-nesting"),
    (put(P, "items", "items", value={"type": "string", "maxLength": 3}), "/properties/items/items", "form-items"),
    (drop(P, "checks", "uniqueItems"), "/properties/checks", "form-items"),
    (put(P, "sku", "format", value="uri"), "/properties/sku/format", "form-format"),
    (put(P, "sku", "minimum", value=1), "/properties/sku/minimum", "form-keyword"),
    (put("allOf", value=[]), "/allOf", "form-keyword"),
    (put("if", value={}), "/if", "form-keyword"),
    (put(P, "sku", "pattern", value="("), "/properties/sku/pattern", "form-pattern"),
    (put(P, "sku", "pattern", value="(a+)+$"), "/properties/sku/pattern", "form-pattern"),
    (put(P, "sku", "pattern", value="(a|a)*b"), "/properties/sku/pattern", "form-pattern"),
    (put(P, "sku", "pattern", value="a*a*a*a*b"), "/properties/sku/pattern", "form-pattern"),
    (put(P, "sku", "pattern", value=r"(a)\1"), "/properties/sku/pattern", "form-pattern"),
    (put(P, "sku", value={"type": "string", "title": "T", "maxLength": 9000, "pattern": "a"}),
     "/properties/sku/pattern", "form-pattern"),
    (put(P, "sku", "minLength", value="few"), "/properties/sku/minLength", "form-schema"),
    (put(P, "kind", "oneOf", value=[]), "/properties/kind", "form-choices"),
    (put(P, "kind", "oneOf", value=[{"const": "gift"}]), "/properties/kind/oneOf", "form-choices"),
    (put(P, "kind", "oneOf", value=[{"type": "string"}]), "/properties/kind/oneOf", "form-choices"),
    (put(P, "kind", "oneOf", value=[{"const": 1, "title": "One"}]), "/properties/kind", "form-choices"),
    (put(P, "kind", "oneOf", value=[{"const": "a", "title": "A"}] * 2), "/properties/kind", "form-choices"),
    (put(P, "kind", "enum", value=["gift"]), "/properties/kind", "form-choices"),
    (put("examples", value=[{"sku": 5}]), "/examples/0/sku", "form-example"),
    (put("examples", value=[{}]), "/examples/0", "form-example"),
    (drop(P, "sku", "title"), "/properties/sku/title", "form-title"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "rule"), CHANGES, ids=[f"{rule}:{path}" for _, path, rule in CHANGES])
def test_a_fault_in_a_form_is_named_with_its_place(change: Callable[[Form], None], path: str, rule: str) -> None:
    """Whoever draws a form is told which field is wrong and what to write."""
    found = [finding for finding in findings_of(spoiled_form(change)) if finding.file == FORM]

    assert rule in {finding.rule for finding in found}
    if path:
        assert rule in rules(found, path)


@pytest.mark.parametrize("pattern", [r"^\+?[0-9 ()+*-]{6,20}$", r"^[A-Z]{2}\d+(-\d+)?$", "^.*$", r"^\(a\)+$"])
def test_plain_patterns_are_fine(pattern: str) -> None:
    """A pattern of a few repetitions ends soon on every text."""
    assert findings_of(spoiled_form(put(P, "kind", value={
        "type": "string", "title": "T", "maxLength": 40, "pattern": pattern}))) == []


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "json-syntax"),
        (b"{", "json-syntax"),
        (b"\xff\xfe\xfa", "json-syntax"),
        (b'{"type": NaN}', "json-syntax"),
        (b'{"title": "\\ud800"}', "json-syntax"),
        (b'{"\\ud800": 1}', "json-syntax"),
        (b'{"type": 1e999}', "json-syntax"),
        (b'{"type": "object", "type": "object"}', "json-syntax"),
        (b"[" * 50_000, "json-depth"),
        (b"[]", "form-root"),
        (b'"' + b"a" * 300_000 + b'"', "json-size"),
    ],
)
def test_a_file_that_is_no_form_is_refused(data: bytes, rule: str) -> None:
    """Whatever the bytes are, one clear line says what is wrong with them."""
    found = findings_of(good_bundle() | {FORM: data})

    assert rule in {finding.rule for finding in found if finding.file == FORM}


@pytest.mark.parametrize(
    ("changes", "path", "rule"),
    [
        ({"colour": {}}, "/colour", "ui-field"),
        ({"sku": "textarea"}, "/sku", "ui-field"),
        ({"items": {"items": {"gone": {}}}}, "/items/items/gone", "ui-field"),
        ({"ui:order": ["sku", "gone", "*"]}, "/ui:order", "ui-order"),
        ({"ui:order": ["sku"]}, "/ui:order", "ui-order"),
        ({"ui:order": ["sku", "sku", "*"]}, "/ui:order", "ui-order"),
        ({"ui:order": "sku"}, "/ui:order", "ui-order"),
        ({"sku": {"ui:widget": "iframe"}}, "/sku/ui:widget", "ui-widget"),
        ({"sku": {"ui:html": "<b>"}}, "/sku/ui:html", "ui-key"),
        ({"sku": {"ui:help": 5}}, "/sku/ui:help", "ui-text"),
        ({"sku": {"ui:each": "yes"}}, "/sku/ui:each", "ui-each"),
        ({"ui:each": True}, "/ui:each", "ui-each"),
        ({"sku": {"ui:options": 5}}, "/sku/ui:options", "ui-options"),
        ({"sku": {"ui:scan": {"code": "sku", "count": "quantity"}}}, "/sku/ui:scan", "ui-scan"),
        ({"ui:scan": {"code": "sku", "count": "quantity"}}, "/ui:scan", "ui-scan"),
        ({"items": {"ui:scan": "sku"}}, "/items/ui:scan", "ui-scan"),
        ({"items": {"ui:scan": {"code": "sku"}}}, "/items/ui:scan", "ui-scan"),
        ({"items": {"ui:scan": {"code": "gone", "count": "quantity"}}}, "/items/ui:scan/code", "ui-scan"),
        ({"items": {"ui:scan": {"code": "sku", "count": ["sku"]}}}, "/items/ui:scan/count", "ui-scan"),
    ],
)
def test_a_ui_schema_speaks_of_fields_that_exist(changes: Form, path: str, rule: str) -> None:
    """What is said of the look of a field is said of a field of the form."""
    found = findings_of(good_bundle() | {UI: json.dumps(GOOD_UI | changes).encode()})

    assert rule in rules([finding for finding in found if finding.file == UI], path)


def test_a_ui_schema_without_its_form_is_refused() -> None:
    """A UI schema stands beside its form, under the same name."""
    found = findings_of(good_bundle() | {"forms/other.ui.json": b"{}"})

    assert {finding.rule for finding in found} == {"ui-form"}
