"""The processes and forms of the repository keep every rule of the linter, with the real operations."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lxml import etree

import handlers
from engine.lint import check
from handlers.contract import Registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def operations() -> Registry:
    """Every operation that a diagram may name; nothing is called, so the ports may be empty."""
    ports: Any = SimpleNamespace(payments=None, couriers=None, mail=None, documents=None, files=None, clock=None)
    return handlers.registry(cast("Any", ports))


@pytest.fixture(scope="module")
def shipped() -> dict[str, bytes]:
    files = [*(ROOT / "processes").glob("*.*mn"), *(ROOT / "forms").glob("*.json")]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def test_the_shipped_bundle_has_no_findings(shipped: dict[str, bytes], operations: Registry) -> None:
    """What is delivered can be deployed, without as much as a warning."""
    assert [str(finding) for finding in check(shipped, operations)] == []


def test_each_form_left_out_is_missed(shipped: dict[str, bytes], operations: Registry) -> None:
    """Every form is some user task's, and every user task's form must be there."""
    forms = [name for name in shipped if name.endswith(".json") and not name.endswith(".ui.json")]
    assert forms

    for form in forms:
        rest = {name: data for name, data in shipped.items() if name != form}
        assert "form" in {finding.rule for finding in check(rest, operations)}, form


def test_each_operation_left_out_is_missed(shipped: dict[str, bytes], operations: Registry) -> None:
    """A diagram that names an operation which does not exist is refused; every name on the diagram is looked up."""
    text = b"".join(data for name, data in shipped.items() if name.endswith(".bpmn")).decode()
    named = [name for name in operations if f'"{name}"' in text]
    assert len(named) > 30

    for name in named:
        rest = Registry({known: operations[known] for known in operations if known != name})
        assert "unknown-operation" in {finding.rule for finding in check(shipped, rest)}, name


def test_what_is_not_in_the_picture_is_named(shipped: dict[str, bytes], operations: Registry) -> None:
    """A task without a shape and a flow without a line run, and nobody sees them on the canvas."""
    file = "processes/order_fulfillment.bpmn"
    root = etree.fromstring(shipped[file])
    flow = next(node.get("id") for node in root.iter("{*}sequenceFlow") if node.get("sourceRef") == "confirm_pickup")
    for name in ("package_products", flow):
        [shape] = root.xpath("//*[@bpmnElement=$name]", name=name)
        shape.getparent().remove(shape)

    found = check({**shipped, file: etree.tostring(root)}, operations)

    assert {(one.element, one.rule, one.severity) for one in found} == {
        ("package_products", "not-drawn", "warning"), (flow, "not-drawn", "warning")}
