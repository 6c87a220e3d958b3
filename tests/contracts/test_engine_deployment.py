"""Versions of a process: numbered, never changed, and never deployed over somebody else's newer one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine import SYSTEM, Bundle, Database, Engine
from engine.errors import CannotDeploy, StaleBase
from engine.views import Actor
from handlers.contract import Registry

FORM = b"""{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Look", "type": "object",
 "additionalProperties": false, "properties": {"fine": {"type": "boolean", "title": "Fine"}}}"""
ANALYST = Actor("analyst", frozenset(["analysts"]))


def bundle(name: str = "Look", *, team: str = "warehouse", broken: bool = False) -> Bundle:
    """A process of one task, called `name`."""
    flow = "" if broken else '<sequenceFlow id="f2" sourceRef="look" targetRef="seen"/>'
    diagram = f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core" id="d" targetNamespace="urn:test">
  <process id="looking" name="{name}" isExecutable="true">
    <startEvent id="began"/>
    <userTask id="look" name="{name}"><extensionElements><spiffworkflow:properties>
      <spiffworkflow:property name="team" value="{team}"/>
      <spiffworkflow:property name="due" value="PT1H"/>
      <spiffworkflow:property name="formJsonSchemaFilename" value="look.json"/>
    </spiffworkflow:properties></extensionElements></userTask>
    <endEvent id="seen"/>
    <sequenceFlow id="f1" sourceRef="began" targetRef="look"/>{flow}
  </process>
</definitions>""".encode()
    return Bundle({"processes/look.bpmn": diagram, "forms/look.json": FORM})


@pytest.fixture
def engine(database: Database, clock: Any) -> Callable[[], Engine]:
    """A fresh engine on the same database, as after a restart."""
    return lambda: Engine(database, Registry({}), clock)


def versions(engine: Callable[[], Engine]) -> list[tuple[int, int | None]]:
    return [(v.version, v.base_version) for v in engine().versions("looking")]


def test_a_new_content_is_a_new_version_and_the_same_content_is_none(engine: Callable[[], Engine]) -> None:
    """Deploying again what is deployed changes nothing, also after a newer version."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("Two"), SYSTEM)
    engine().deploy(bundle("One"), SYSTEM)

    assert versions(engine) == [(2, 1), (1, None)]


def test_an_instance_stays_on_the_version_it_began_with(engine: Callable[[], Engine]) -> None:
    """A change of the process does not touch what is under way."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().start("looking", "A", SYSTEM)
    engine().deploy(bundle("Two"), SYSTEM)
    engine().start("looking", "B", SYSTEM)

    assert [(engine().instance(key).version, engine().order_tasks(key)[0].name) for key in "AB"] == [
        (1, "One"), (2, "Two")]


def test_a_folder_is_refused_over_a_newer_version_that_somebody_else_deployed(engine: Callable[[], Engine]) -> None:
    """The folder's change was made on version 1; both versions are named, and nothing is deployed."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("Two"), ANALYST, origin="upload", base_version=1)

    with pytest.raises(StaleBase, match=r"version 1, but version 2 is the newest"):
        engine().deploy(bundle("Three"), SYSTEM)

    assert versions(engine) == [(2, 1), (1, None)]


def test_an_upload_names_the_version_it_was_made_on(engine: Callable[[], Engine]) -> None:
    """Two analysts change the same version: the second is told."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("Two"), ANALYST, origin="upload", base_version=1)

    with pytest.raises(StaleBase, match=r"version 1, but version 2"):
        engine().deploy(bundle("Three"), ANALYST, origin="upload", base_version=1)


def test_what_the_linter_refuses_is_not_deployed(engine: Callable[[], Engine]) -> None:
    """Every problem comes back, by element."""
    with pytest.raises(CannotDeploy) as refused:
        engine().deploy(bundle(broken=True), SYSTEM)

    assert any(finding.element == "look" for finding in refused.value.findings)
    assert engine().versions() == []


def test_a_version_is_parsed_once_and_shared(engine: Callable[[], Engine]) -> None:
    """All instances of a version use one parsed diagram."""
    one = engine()
    one.deploy(bundle(), SYSTEM)
    with one.reading() as session:
        first = one.library.newest(session, "looking")
        assert one.library.newest(session, "looking") is first


def test_an_exported_version_is_what_was_deployed(engine: Callable[[], Engine]) -> None:
    """The files come back byte by byte."""
    engine().deploy(bundle("One"), SYSTEM)

    assert engine().bundle("looking", 1).content_hash == bundle("One").content_hash
