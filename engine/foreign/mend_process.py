"""Mendings of processes, ids, names, lanes, and what belongs to another tool alone."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from engine.findings import local
from engine.foreign.bench import property_of, remove_node, rename_id, set_property, title_of, word_of
from engine.foreign.mending import Mending, Offer, Place, always
from engine.foreign.vendors import remove_extensions
from engine.lint.model import FLOW_NODES, properties_of, tag, text_of
from engine.lint.names import is_variable, listed


def _mark(place: Place, _: str) -> None:
    place.xml.set("isExecutable", "true")


def _new_ids(place: Place) -> Iterable[Offer]:
    if _without_id(place.root):
        yield Offer("Give an id to everything that has none")


def _without_id(root: etree._Element) -> list[etree._Element]:
    kinds = FLOW_NODES | {"process", "sequenceFlow"}
    return [
        node for kind in sorted(kinds) for node in root.iter(tag(kind)) if not (node.get("id") or "").strip()
    ]


def _give_ids(place: Place, _: str) -> None:
    for node in _without_id(place.root):
        node.set("id", place.bench.free_id(word_of(node.get("name") or local(node))))


def _other_id(place: Place) -> Iterable[Offer]:
    name = place.xml.get("id", "")
    if place.kind in FLOW_NODES | {"process"} and name and (place.kind != "userTask" or not is_variable(name)):
        yield Offer(f"Give it the id {_wish(place)}")


def _wish(place: Place) -> str:
    return place.bench.free_id(word_of(place.xml.get("name") or place.xml.get("id") or "", place.kind.lower()))


def _rename(place: Place, _: str) -> None:
    rename_id(place.root, place.xml.get("id", ""), _wish(place))


def _name_offers(place: Place) -> Iterable[Offer]:
    name = place.xml.get("id", "").replace("_", " ").strip().capitalize()
    if name and name != place.xml.get("id"):
        yield Offer(f"Call it “{name}”", name)


def _set_name(place: Place, name: str) -> None:
    place.xml.set("name", name)


def _drop(place: Place, _: str) -> None:
    remove_node(place.root, place.xml)


def _remove_extensions(place: Place, _: str) -> None:
    remove_extensions(place.xml)


# --- lanes ----------------------------------------------------------------------------------------------------------


def lane_of(place: Place) -> etree._Element | None:
    """The lane in which an element lies, or the subprocess around it."""
    node: etree._Element | None = place.xml
    while node is not None:
        for lane in place.root.iter(tag("lane")):
            if any(text_of(reference) == node.get("id") for reference in lane.findall(tag("flowNodeRef"))):
                return lane
        node = node.getparent()
    return None


def _unlist(place: Place, _: str) -> None:
    """Takes a subprocess, what lies in subprocesses, and what is not there off the lanes' lists."""
    for process in place.root.iterfind(tag("process")):
        listable = {
            node.get("id") for node in process
            if isinstance(node.tag, str) and local(node) in FLOW_NODES and local(node) not in _SUBPROCESSES
        }
        for reference in list(process.iter(tag("flowNodeRef"))):
            parent = reference.getparent()
            if parent is not None and text_of(reference) not in listable:
                parent.remove(reference)


_SUBPROCESSES = frozenset({"subProcess", "transaction", "adHocSubProcess"})


def _unlist_offers(place: Place) -> Iterable[Offer]:
    if place.kind in _SUBPROCESSES and place.xml.find(tag("laneSet")) is not None:
        return
    yield Offer("Take subprocesses and what lies in them off the lanes; the picture stays")


def _drop_lanes(place: Place, _: str) -> None:
    for lanes in place.xml.findall(tag("laneSet")):
        for lane in lanes.iter(tag("lane")):
            remove_node(place.root, lane)
        place.xml.remove(lanes)


def _drop_lanes_offers(place: Place) -> Iterable[Offer]:
    if place.kind in _SUBPROCESSES and place.xml.find(tag("laneSet")) is not None:
        yield Offer("Remove the lanes inside the subprocess")


def _flatten(place: Place, _: str) -> None:
    """Lanes inside a lane become its neighbours; the outer one keeps what only it lists."""
    lane = place.xml
    for inner in lane.findall(tag("childLaneSet")):
        moved = [child for child in inner if child.tag == tag("lane")]
        theirs = {text_of(reference) for each in moved for reference in each.iter(tag("flowNodeRef"))}
        for reference in lane.findall(tag("flowNodeRef")):
            if text_of(reference) in theirs:
                lane.remove(reference)
        for each in reversed(moved):
            lane.addnext(each)
        lane.remove(inner)


def _teams_in(place: Place) -> list[str]:
    inside = {text_of(reference) for reference in place.xml.findall(tag("flowNodeRef"))}
    teams = [
        property_of(task, "team") for task in place.root.iter(tag("userTask")) if task.get("id") in inside
    ]
    return sorted({team for team in teams if team})


def _lane_team_offers(place: Place) -> Iterable[Offer]:
    lane = place.xml if place.kind == "lane" else lane_of(place)
    if lane is not None and (teams := _teams_in(place.at(lane))):
        yield Offer(f"Let {', '.join(teams)} work in the lane {title_of(lane)}")


def _set_lane_teams(place: Place, _: str) -> None:
    lane = place.xml if place.kind == "lane" else lane_of(place)
    if lane is not None:
        teams = {*listed(properties_of(lane).get("teams", "")), *_teams_in(place.at(lane))}
        set_property(lane, "teams", ", ".join(sorted(teams)))


def _into_lane_offers(place: Place) -> Iterable[Offer]:
    if place.kind != "userTask" or lane_of(place) is not None:
        return
    team = property_of(place.xml, "team")
    for lane in place.root.iter(tag("lane")):
        if team in listed(properties_of(lane).get("teams", "")):
            yield Offer(f"Count it to the lane {title_of(lane)}", lane.get("id", ""))
            return
    for lane in place.root.iter(tag("lane")):
        yield Offer(f"Count it to the lane {title_of(lane)}", lane.get("id", ""), sure=False)


def _into_lane(place: Place, lane_id: str) -> None:
    lane = place.bench.find(place.file, lane_id)
    if lane is not None:
        reference = etree.SubElement(lane, tag("flowNodeRef"))
        reference.text = place.xml.get("id", "")


PROCESS_MENDINGS = (
    Mending("executable", ("not-executable",), always("Mark the process as executable"), _mark),
    Mending("ids", ("id",), _new_ids, _give_ids),
    Mending("rename", ("reserved-id", "id", "variable-name", "operator-id"), _other_id, _rename),
    Mending("name", ("no-name",), _name_offers, _set_name),
    Mending("unlist", ("lane-subprocess", "lane-reference"), _unlist_offers, _unlist),
    Mending("drop-lanes", ("lane-subprocess",), _drop_lanes_offers, _drop_lanes),
    Mending("flatten-lanes", ("lane-nested",), always("Draw the inner lanes side by side"), _flatten),
    Mending("lane-teams", ("lane-teams", "lane-team"), _lane_team_offers, _set_lane_teams),
    Mending("into-lane", ("lane-team",), _into_lane_offers, _into_lane),
    Mending("drop", ("unsupported-correlationProperty", "unsupported-correlationKey"),
            always("Remove it; a message is matched by the order it names"), _drop),
    Mending("remove-extensions", ("vendor-extension",), always("Remove what the other tool added"),
            _remove_extensions),
)  # fmt: skip
