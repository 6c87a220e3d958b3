"""A process calls another one, which has a diagram of its own: people and workers do what stands there too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import SYSTEM, Bundle, Database, Engine
from engine.errors import CannotDeploy
from engine.lint import check
from engine.views import Actor
from handlers.contract import Call, External, Registry, build_registry
from tests.clock import MovableClock
from tests.unit.lint_bundle import definitions, flow, properties, service

SALES = Actor("sal", frozenset({"sales"}))
FORM = json.dumps({
    "type": "object", "title": "Note", "additionalProperties": False,
    "properties": {"note": {"type": "string", "title": "Note", "maxLength": 50}},
}).encode()


class _Weigh(External):
    def __init__(self, ports: Any) -> None: ...

    def prepare(self, call: Call) -> str:
        return ""

    def perform(self, arguments: str, key: str) -> str:
        return "3 kg"

    def record(self, call: Call, arguments: str, result: str) -> dict[str, Any]:
        return {"weight": result}


OPERATIONS = build_registry(None, {"parcel.weigh": _Weigh})


def user(element: str, name: str, due: str = "PT1H") -> str:
    told = properties(team="sales", due=due, formJsonSchemaFilename="note.json")
    return f'<bpmn:userTask id="{element}" name="{name}">{told}</bpmn:userTask>'


def bundle(first: str = "ask", inner: str = "check") -> Bundle:
    """Ask → two calls at once of: check → weigh → an hour → until somebody has come."""
    main = definitions(f"""<bpmn:process id="main" name="Main" isExecutable="true"><bpmn:startEvent id="begin"/>
{user(first, "Ask")}<bpmn:parallelGateway id="fork"/><bpmn:callActivity id="left" calledElement="called"/>
<bpmn:callActivity id="right" calledElement="called"/><bpmn:parallelGateway id="join"/><bpmn:endEvent id="done"/>
{flow("begin", first)}{flow(first, "fork")}{flow("fork", "left")}{flow("fork", "right")}{flow("left", "join")}
{flow("right", "join")}{flow("join", "done")}</bpmn:process>""")
    called = definitions(f"""<bpmn:message id="came" name="somebody.came"/>
<bpmn:process id="called" name="Called" isExecutable="true"><bpmn:startEvent id="begin"/>
{user(inner, "Check", "PT9H")}{service("weigh", "parcel.weigh", "parcel")}
<bpmn:intermediateCatchEvent id="rest"><bpmn:timerEventDefinition id="hour"><bpmn:timeDuration>PT1H</bpmn:timeDuration>
</bpmn:timerEventDefinition></bpmn:intermediateCatchEvent><bpmn:receiveTask id="wait" messageRef="came"/>
<bpmn:endEvent id="done"/>{flow("begin", inner)}{flow(inner, "weigh")}{flow("weigh", "rest")}{flow("rest", "wait")}
{flow("wait", "done")}</bpmn:process>""")
    return Bundle({"processes/main.bpmn": main.encode(), "processes/called.bpmn": called.encode(),
                   "forms/note.json": FORM})


def does_all(engine: Engine, order: str) -> None:
    for task in engine.order_tasks(order):
        if task.state == "open":
            engine.claim(task.id, SALES)
            engine.complete(task.id, SALES, {"note": "x"})


@pytest.fixture
def engine(database: Database, clock: MovableClock) -> Engine:
    engine = Engine(database, OPERATIONS, clock)
    engine.deploy(bundle(), SYSTEM)
    return engine


def test_tasks_jobs_timers_and_messages_of_a_called_process_go_on(engine: Engine, clock: MovableClock) -> None:
    """Each is found in the diagram that draws it, also when two calls run at once."""
    engine.start("main", "A-1", SALES)
    does_all(engine, "A-1")
    opened = [task.name for task in engine.order_tasks("A-1") if task.state == "open"]

    does_all(engine, "A-1")
    engine.work()
    clock.advance(hours=2)
    engine.work()
    for number in ("1", "2"):
        engine.deliver("somebody.came", "A-1", {}, source="door", message_id=number)

    assert opened == ["Check", "Check"]
    assert engine.instance("A-1").status == "closed"
    assert engine.verify_audit("A-1") == []


def test_an_order_that_stands_in_a_called_process_is_moved(engine: Engine) -> None:
    """Its open tasks get the names of the new version, and go on."""
    engine.start("main", "A-1", SALES)
    does_all(engine, "A-1")
    changed = dict(bundle().files)
    changed["processes/called.bpmn"] = changed["processes/called.bpmn"].replace(b'name="Check"', b'name="Check well"')
    version = engine.deploy(Bundle(changed), SYSTEM, origin="upload", base_version=1)[0].version

    begun = engine.migrate("main", version, SYSTEM, reason="Better words.")
    engine.work()

    assert [(item.state, item.why) for item in engine.migration(begun.id).items.items] == [("moved", "")]
    assert [task.name for task in engine.order_tasks("A-1") if task.state == "open"] == ["Check well", "Check well"]
    does_all(engine, "A-1")


def test_one_id_for_two_tasks_that_run_together_is_refused(engine: Engine) -> None:
    """Rows and variables bear it, so the form of one would be shown for the other; starts and ends may share theirs."""
    with pytest.raises(CannotDeploy) as refused:
        engine.deploy(bundle(first="check"), SYSTEM, origin="upload", base_version=1)

    assert [(f.file, f.element, f.rule) for f in refused.value.findings] == [
        ("processes/called.bpmn", "check", "duplicate-id")]
    assert [f for f in check(bundle().files, Registry(OPERATIONS)) if f.severity == "error"] == []
