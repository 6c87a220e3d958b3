"""The shipped diagrams and decision tables: what they say, and that they can be read."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from tests.drawing import BPMN, DC, DI, PROCESSES, SPIFF, Box, Drawing, faults, properties, read

KEYS = ("order_fulfillment", "order_cancellation")
STEPS = (
    "Receive new order from customer",
    "Verify and validate customer details",
    "Check product availability",
    "Reserve inventory for order",
    "Approval: Inventory Reservation",
    "Generate invoice for order",
    "Capture customer payment",
    "Approval: Payment Processing",
    "Prepare order for shipment",
    "Package ordered products",
    "Create shipping label",
    "Assign order to shipment courier",
    "Confirm pickup with shipment courier",
    "Notify customer of shipment",
    "Track shipment and provide updates to the customer",
    "Confirm delivery of order with courier",
    "Send delivery confirmation to customer",
    "Close order in system",
    "Archive order details in system",
    "Prepare for next order",
)
DURATION = re.compile(r"(R\d+/)?P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?)?")
DMN = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"


@pytest.fixture(params=KEYS)
def drawing(request: pytest.FixtureRequest) -> Drawing:
    return read(request.param)


def steps_of(drawing: Drawing) -> dict[int, str]:
    found = [(int(p["step"]), node) for node in drawing.nodes if "step" in (p := drawing.properties(node))]
    assert len(found) == len(dict(found)), "a step number stands twice"
    return dict(found)


# --- what they say --------------------------------------------------------------------------------------------------


def test_the_twenty_steps_bear_the_template_s_names_in_its_order() -> None:
    """Every step of the template is one activity, named to the letter and numbered 1 to 20."""
    drawing = read("order_fulfillment")

    steps = steps_of(drawing)

    assert tuple(drawing.name(steps[number]) for number in sorted(steps)) == STEPS
    assert sorted(steps) == list(range(1, 21))
    assert not steps_of(read("order_cancellation"))


def test_the_usual_way_passes_the_steps_in_order() -> None:
    """Along the usual answers the steps follow each other from 1 to 20, and the order ends as fulfilled."""
    drawing = read("order_fulfillment")
    usual = {
        "reservation_decision": "generate_invoice", "transfer_due": "capture_payment",
        "payment_decision": "prepare_shipment", "courier_by_hand": "assign_courier",
        "next_report": "courier_reports", "tracking_result": "confirm_delivery",
    }
    node, passed = "order_started", []

    while node != "order_fulfilled":
        passed.append(drawing.properties(node).get("step"))
        after = [target for source, target in drawing.flows.values() if source == node and target in drawing.boxes]
        after = [target for target in after if drawing.nodes[target].tag != f"{BPMN}textAnnotation"]
        node = usual.get(node) or after[0]
        assert node in after

    assert [int(step) for step in passed if step] == list(range(1, 21))


def test_every_step_tells_its_purpose_and_its_desired_result() -> None:
    """A step is documented in two or three sentences: what it is for, and when it is done."""
    drawing = read("order_fulfillment")

    for number, node in steps_of(drawing).items():
        text = drawing.nodes[node].findtext(f"{BPMN}documentation") or ""
        assert 2 <= len(re.findall(r"[.!?](?= |$)", text)) <= 4, f"step {number}: {text!r}"


def test_the_gates_submit_steps_before_them_and_send_back_to_one_of_these() -> None:
    """Gate 5 answers for steps 3 and 4, gate 8 for 6 and 7; the flow has a way for each step they send back to."""
    drawing = read("order_fulfillment")
    gates = {int(p["step"]): p for node in drawing.nodes if (p := drawing.properties(node)).get("kind") == "approval"}

    assert {step: (p["submits"], p["sendBackTo"]) for step, p in gates.items()} == {5: ("3,4", "3"), 8: ("6,7", "6,7")}
    assert all(p["submission"] and p["signatures"] for p in gates.values())


def test_every_user_task_has_team_due_time_and_someone_to_escalate_to(drawing: Drawing) -> None:
    """A user task names its team, a due time, whom it escalates to, and says what to do."""
    for node in drawing.process.iter(f"{BPMN}userTask"):
        found = properties(node)
        assert {"team", "due", "escalateTo"} <= set(found), node.get("id")
        assert DURATION.fullmatch(found["due"]), node.get("id")
        text = node.findtext(f"{BPMN}extensionElements/{SPIFF}instructionsForEndUser") or ""
        assert text.endswith("."), f"{node.get('id')} has no instructions"


def test_a_user_task_has_either_a_form_or_a_gate(drawing: Drawing) -> None:
    """The form bears the element's id, is taken by an operation, and is prepared by one."""
    for node in drawing.process.iter(f"{BPMN}userTask"):
        found = properties(node)
        if found.get("kind") == "approval":
            assert "formJsonSchemaFilename" not in found
        else:
            assert found["formJsonSchemaFilename"] == f"{node.get('id')}.json"
            assert {"formContext", "onComplete", "resultVariable"} <= set(found), node.get("id")


def test_lane_and_team_agree(drawing: Drawing) -> None:
    """Every element stands in one lane, and a user task in a lane of its team."""
    assert set(drawing.lane_of) == {
        node for node, element in drawing.nodes.items() if element.tag != f"{BPMN}textAnnotation"
    }
    for node in drawing.process.iter(f"{BPMN}userTask"):
        lane = drawing.lanes[drawing.lane_of[node.get("id")]]
        assert properties(node)["team"] in properties(lane)["teams"].split(", "), node.get("id")


def test_the_lanes_are_the_teams_of_the_company() -> None:
    """Sales, Warehouse, Approvals, Finance and Shipping."""
    drawing = read("order_fulfillment")

    assert [lane.get("name") for lane in drawing.lanes.values()] == [
        "Sales", "Warehouse", "Approvals", "Finance", "Shipping",
    ]


def test_durations_are_plain_bpmn(drawing: Drawing) -> None:
    """Times stand as ISO 8601 durations without quotes, as every BPMN tool writes them."""
    times = [*drawing.process.iter(f"{BPMN}timeDuration", f"{BPMN}timeCycle")]

    assert all(DURATION.fullmatch(time.text or "") for time in times), [time.text for time in times]


def test_pickup_commits_however_it_is_confirmed() -> None:
    """By the form of step 13 or by the courier's report for the booking that stands now."""
    drawing = read("order_fulfillment")
    commits = {node for node in drawing.nodes if drawing.properties(node).get("commits") == "true"}

    assert commits == {"confirm_pickup", "picked_up"}
    assert drawing.properties("picked_up")["accepts"] == "message.booking == booking.reference"


def test_every_cancelling_end_leads_to_the_cancellation() -> None:
    """A rejected gate, a shortage or a payment that was given up cancels the order."""
    drawing = read("order_fulfillment")
    cancels = {node for node in drawing.nodes if drawing.properties(node).get("cancels") == "true"}

    assert cancels == {"reservation_rejected", "payment_rejected", "cancelled_no_stock", "cancelled_no_payment"}
    assert properties(drawing.process)["cancellation"] == "order_cancellation"


def test_every_element_can_be_reached(drawing: Drawing) -> None:
    """What no flow leads to would never be run nor checked."""
    ways = [*drawing.flows.values(), *((host, event) for event, host in drawing.host.items())]
    reached = {event.get("id") for event in drawing.process.iter(f"{BPMN}startEvent")}

    while more := {target for source, target in ways if source in reached} - reached:
        reached |= more

    assert set(drawing.nodes) <= reached


# --- how they look --------------------------------------------------------------------------------------------------


def test_a_diagram_reads_without_a_crossing(drawing: Drawing) -> None:
    """No two flows cross, none runs through a shape, no label covers anything, everything stands in its lane."""
    assert faults(drawing) == []


@pytest.mark.parametrize(
    ("element", "dx", "dy"),
    [("capture_payment", -60, 0), ("next_report", 0, -70), ("resolve_shortage", 0, 60), ("order_fulfilled", 0, 90)],
)
def test_a_badly_placed_shape_is_noticed(element: str, dx: int, dy: int) -> None:
    """The check above sees a shape that was pushed onto another, onto a flow or out of its lane."""
    drawing = read("order_fulfillment")
    bounds = drawing.root.find(f".//{DI}BPMNShape[@bpmnElement='{element}']/{DC}Bounds")

    bounds.set("x", str(float(bounds.get("x")) + dx))
    bounds.set("y", str(float(bounds.get("y")) + dy))

    assert faults(Drawing(drawing.root))


def test_everything_is_drawn_once(drawing: Drawing) -> None:
    """Pool, lanes, elements and flows have one shape or line each; names beside a shape have a place of their own."""
    shapes = [shape.get("bpmnElement") for shape in drawing.root.iter(f"{DI}BPMNShape")]
    edges = [edge.get("bpmnElement") for edge in drawing.root.iter(f"{DI}BPMNEdge")]

    assert sorted(shapes) == sorted([*drawing.nodes, *drawing.lanes, "pool"])
    assert sorted(edges) == sorted(drawing.flows)
    beside = [node for node, element in drawing.nodes.items() if element.tag.endswith(("Event", "Gateway"))]
    assert {element for element in [*beside, *drawing.flows] if drawing.name(element)} == set(drawing.labels)


def test_a_flow_begins_and_ends_at_its_elements(drawing: Drawing) -> None:
    """The first and the last point of a flow lie on the edge of the shapes that it joins."""
    for flow, (source, target) in drawing.flows.items():
        for end, point in ((source, drawing.lines[flow][0]), (target, drawing.lines[flow][-1])):
            box, (x, y) = drawing.boxes[end], point
            assert box.holds(Box(x, y, 0, 0)), f"{flow} at {end}"
            assert x in (box.x, box.right) or y in (box.y, box.bottom), f"{flow} at {end}"


def test_ids_are_unique(drawing: Drawing) -> None:
    """Two elements with one id would make either unreachable."""
    own = [element for element in drawing.root.iter(f"{BPMN}*", f"{DI}*") if element.get("id")]

    assert len({element.get("id") for element in own}) == len(own)


def test_the_diagrams_fit_on_a_laptop() -> None:
    """The main diagram is at most 2,600 pixels wide and 1,120 high, so that a whole screen shows it at half size."""
    pool = read("order_fulfillment").boxes["pool"]

    assert pool.width <= 2600
    assert pool.height <= 1120


def test_the_files_follow_the_bpmn_schema(drawing: Drawing) -> None:
    """Any BPMN tool can open them."""
    from SpiffWorkflow.spiff.parser.process import VALIDATOR

    VALIDATOR.validate(drawing.root)


# --- decision tables ------------------------------------------------------------------------------------------------


def table(key: str) -> list[tuple[list[str], list[str]]]:
    root = etree.parse(str(PROCESSES / f"{key}.dmn")).getroot()
    return [
        (
            [cell.findtext(f"{DMN}text") or "" for cell in rule.iterfind(f"{DMN}inputEntry")],
            [cell.findtext(f"{DMN}text") or "" for cell in rule.iterfind(f"{DMN}outputEntry")],
        )
        for rule in root.iter(f"{DMN}rule")
    ]


def test_orders_above_five_thousand_need_two_signatures() -> None:
    """Up to 500,000 minor units of USD one approver signs, above that two."""
    assert table("approval_policy") == [(["<= 500000"], ["1"]), (["-"], ["2"])]


def test_the_courier_table_names_known_codes_and_leaves_the_rest_to_a_person() -> None:
    """Regions, methods and couriers are the API's codes; the last row takes everything and asks a person."""
    *rows, (last_inputs, last_outputs) = table("courier_choice")
    regions, methods = {"north_america", "europe", "malaysia"}, {"standard", "express", "overnight"}

    for (region, _, method), (courier, decided_by) in rows:
        assert region.strip('"') in regions
        assert method.strip('"') in methods
        assert courier.strip('"') in {f"courier_{letter}" for letter in "abcde"}
        assert decided_by == '"table"'
    assert len({(inputs[0], inputs[2]) for inputs, _ in rows}) == len(rows)
    assert last_inputs == ["-", "-", "-"]
    assert last_outputs == ['""', '"person"']
