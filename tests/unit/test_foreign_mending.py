"""Fixes of foreign diagrams: each takes its finding away, they come to an end, and they touch nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from engine.executable import CannotMend, mend, with_fixes
from engine.lint import check
from tests.foreign.diagrams import DIAGRAMS, Foreign
from tests.foreign.mending import MOST, TEAMS, lacking, mended, registry, steps
from tests.unit.lint_bundle import definitions, flow, properties, service

FILE = "processes/x.bpmn"
BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"


def drawn(name: str) -> dict[str, bytes]:
    [found] = [each for each in DIAGRAMS if each.name == name]
    return found.build()


def of(files: dict[str, bytes], element: str) -> list[tuple[str, str | None]]:
    """Rule and fix of everything an element lacks."""
    return [(one.rule, one.fix) for one in lacking(files) if one.element == element]


def element(files: dict[str, bytes], name: str) -> etree._Element:
    [found] = etree.fromstring(files[FILE]).xpath("//*[@id=$name][not(self::dc:Bounds)]", name=name,
                                                  namespaces={"dc": "urn:none"})
    return found


def condition(files: dict[str, bytes], flow: str) -> str:
    return element(files, flow).findtext(f"{BPMN}conditionExpression") or ""


@pytest.mark.parametrize("each", DIAGRAMS, ids=lambda each: each.name)
def test_each_fix_takes_its_finding_away_and_they_come_to_an_end(each: Foreign) -> None:
    """Whichever button is pressed next, also those for warnings, its finding is gone and some button is the last."""
    count = 0

    for one, fix, after in steps(each.build(), all_of_them=True):
        count += 1
        assert count < MOST
        assert not [left for left in lacking(after) if (left.rule, left.element) == (one.rule, one.element)
                    and fix in {choice.fix for choice in left.choices}], (one, fix)

    assert bool(count) == (each.name != "standard events")  # which runs as it is
    assert not any(one.choices for one in lacking(mended(each.build())) if one.needed)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(each=st.sampled_from(DIAGRAMS), picks=st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_fixes_may_be_pressed_in_any_order(each: Foreign, picks: list[int]) -> None:
    """Whatever an analyst presses first, and whichever of several, the file stays a diagram and the rest can follow."""
    files = each.build()
    for pick in picks:
        offered = [(one, choice.fix) for one in lacking(files) for choice in one.choices]
        if not offered:
            break
        one, fix = offered[pick % len(offered)]
        files = mend(files, one.file, one.element, fix, registry(), TEAMS)
        assert etree.fromstring(files[FILE]) is not None
    left = [one for one in lacking(mended(files)) if one.needed]
    assert all(not one.choices for one in left)


def test_the_rest_of_a_file_stays_as_it_was() -> None:
    """Comments, other tools' extensions, encoding and other files are kept; only the one attribute is new."""
    files = drawn("lanes in lanes") | {"forms/other.json": b"{}", "processes/y.bpmn": b"<broken"}

    after = mend(files, FILE, "_p", "executable", registry(), TEAMS)

    assert after[FILE].decode("UTF-16").startswith("<?xml version='1.0' encoding='UTF-16'?>")
    assert "<!-- drawn elsewhere -->" in after[FILE].decode("UTF-16")
    before_tree, after_tree = etree.fromstring(files[FILE]), etree.fromstring(after[FILE])
    [process] = before_tree.iter(f"{BPMN}process")
    process.set("isExecutable", "true")
    assert etree.tostring(before_tree, method="c14n2") == etree.tostring(after_tree, method="c14n2")
    assert {name: data for name, data in after.items() if name != FILE} == {
        name: data for name, data in files.items() if name != FILE
    }


def test_a_fix_that_is_not_offered_is_refused() -> None:
    """A button of an older list changes nothing."""
    files = drawn("tasks in a row")
    once = mend(files, FILE, "WFP-6-", "executable", registry(), TEAMS)

    for element_id, fix in (("WFP-6-", "executable"), ("_ec59e164-68b4", "team:sales"), ("gone", "user-task"),
                            ("_ec59e164-68b4", "team:owner"), (None, "ids")):  # fmt: skip
        with pytest.raises(CannotMend):
            mend(once, FILE, element_id, fix, registry(), TEAMS)


def test_the_lane_names_the_team() -> None:
    """A task in the lane Sales is for sales; in the lane House anybody may be chosen, and nobody is guessed."""
    files = mend(drawn("pools and lanes"), FILE, "Id_seller", "executable", registry(), TEAMS)

    assert ("team", "team:sales") in of(files, "Id_2")
    [team] = [one for one in lacking(drawn("only tasks")) if one.rule == "team"]
    assert (team.element, team.fix) == ("first", "team:shipping")
    nobody = drawn("data and notes")[FILE].replace(b"shipping", b"nobody")
    [team] = [one for one in lacking({FILE: nobody}) if one.rule == "team"]
    assert team.fix is None
    assert {choice.fix for choice in team.others} == {"team:finance", "team:sales", "team:shipping", "team:warehouse"}


def test_conditions_of_other_tools_read_the_field_that_asks() -> None:
    """`${approved}` becomes the field of the form that the same diagram draws; FEEL and JUEL alike."""
    invoice, amounts = mended(drawn("an invoice")), mended(drawn("amounts"))

    assert condition(invoice, "f_good_pay") == "approve.approved"
    assert condition(invoice, "f_good_tell") == "not approve.approved"
    assert condition(amounts, "f_Gateway_1_double") == 'enter.amount > 1000 and not (enter.kind == "old")'


def test_forms_are_made_of_the_fields_that_the_diagram_holds() -> None:
    """Camunda's form fields and Camunda 8's JSON become fields; a task without any gets a note."""
    fields = json.loads(mended(drawn("an invoice"))["forms/approve.json"])
    plain = json.loads(next(data for name, data in mended(drawn("tasks in a row")).items() if "forms/" in name))

    assert fields["properties"]["approved"] == {"type": "boolean", "title": "Approved"}
    assert [entry["const"] for entry in fields["properties"]["level"]["oneOf"]] == ["low", "high"]
    assert fields["required"] == ["approved"]
    assert list(plain["properties"]) == ["note"]
    assert "required" not in plain


def test_a_gateway_that_nobody_decides_asks_in_the_form_before_it() -> None:
    """The flows' names are the answers, and the conditions read the answer."""
    files = mended(drawn("a gateway without conditions"))

    form = json.loads(files["forms/look_at_it.json"])
    assert [entry["title"] for entry in form["properties"]["choice"]["oneOf"]] == ["a little", "not at all", "yes"]
    assert condition(files, "f_sid-2A-4F_sid-5A-4F") == 'look_at_it.choice == "yes"'


def test_a_topic_that_names_an_operation_becomes_that_operation() -> None:
    """With the parameters that the vendor's mapping gives; a bean of another program stays for a person."""
    files = mended(drawn("an invoice"))
    spiff = "{http://spiffworkflow.org/bpmn/schema/1.0/core}"

    [operator] = element(files, "pay").iter(f"{spiff}serviceTaskOperator")
    assert operator.get("id") == "desk.note"
    assert [(item.get("id"), item.get("value")) for item in operator.iter(f"{spiff}parameter")] == [
        ("text", "approve.level")]
    assert element(files, "tell").tag == f"{BPMN}userTask"


def test_what_is_added_is_drawn() -> None:
    """New gateways, starts and ends have a shape, new flows a line, and every shape shows an element."""
    root = etree.fromstring(mended(drawn("only tasks"))[FILE])
    shown = {node.get("bpmnElement") for node in root.iter("{*}BPMNShape", "{*}BPMNEdge")}
    elements = {node.get("id") for node in root.iter(f"{BPMN}*")}

    assert shown <= elements
    assert {node.get("id") for node in root.iter(f"{BPMN}parallelGateway", f"{BPMN}startEvent", f"{BPMN}endEvent")} \
        <= shown


def test_findings_bear_the_fix_that_follows_from_the_diagram() -> None:
    """The modeler's list shows a button where pressing it needs no choice."""
    files = drawn("tasks in a row")

    found = with_fixes(check(files, registry(), TEAMS), files, registry(), TEAMS)

    assert {(one.element, one.rule, one.fix) for one in found if one.severity == "error"} == {
        ("WFP-6-", "not-executable", "executable"), ("_ec59e164-68b4", "unsupported-task", "user-task"),
        ("_820c21c0-45f3", "unsupported-task", "user-task"),
    }


def test_what_runs_lacks_nothing() -> None:
    """Of a diagram that runs as it is, and of files that are none, nothing is offered."""
    assert lacking(drawn("standard events")) == []
    for data in (b"", b"<a", b"\xff\xfe", b"<!DOCTYPE a><a/>", b"<definitions/>"):
        assert all(not one.choices for one in lacking({FILE: data}))


def test_another_id_changes_nothing_that_only_reads_the_same() -> None:
    """A task with the id 100 is 100 wide, and takes 100 as a parameter; an operation keeps its name beside a task's."""
    pay = service("pay.now", "pay.now", "paid", '<spiffworkflow:parameter id="pay.now" type="str" value="100"/>')
    picture = ('<bpmndi:BPMNDiagram id="picture"><bpmndi:BPMNPlane id="plane" bpmnElement="small"><bpmndi:BPMNShape '
               'id="shape" bpmnElement="100"><dc:Bounds x="100" y="9" width="100" height="80"/></bpmndi:BPMNShape>'
               "</bpmndi:BPMNPlane></bpmndi:BPMNDiagram>")
    files = {FILE: definitions(
        f'<bpmn:process id="small" isExecutable="true"><bpmn:startEvent id="begin"/>'
        f'<bpmn:userTask id="100" name="Pack">{properties(step="100")}</bpmn:userTask>{pay}'
        f'<bpmn:endEvent id="finish"/>{flow("begin", "100")}'
        f'{flow("100", "pay.now")}{flow("pay.now", "finish")}</bpmn:process>{picture}').encode()}

    after = mend(files, FILE, "100", "rename", registry(), TEAMS)
    after = mend(after, FILE, "pay.now", "rename", registry(), TEAMS)

    expected = files[FILE]
    for old, new in ((b'userTask id="100"', b'userTask id="pack"'), (b'bpmnElement="100"', b'bpmnElement="pack"'),
                     (b'sourceRef="100"', b'sourceRef="pack"'), (b'targetRef="100"', b'targetRef="pack"'),
                     (b'serviceTask id="pay.now"', b'serviceTask id="pay_now"'),
                     (b'sourceRef="pay.now"', b'sourceRef="pay_now"'),
                     (b'targetRef="pay.now"', b'targetRef="pay_now"')):
        assert old in expected
        expected = expected.replace(old, new)
    assert etree.tostring(etree.fromstring(after[FILE])) == etree.tostring(etree.fromstring(expected))
