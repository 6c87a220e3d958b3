"""Lanes show teams; what counts is the property `team` of each user task, and the two must agree."""

from __future__ import annotations

from lxml import etree

from engine.lint.model import SUBPROCESSES, Context, Diagram, Scope, properties_of, tag, text_of
from engine.lint.names import listed


def check_lanes(context: Context, diagram: Diagram) -> None:  # noqa: ARG001 - every rule takes the same
    """The lanes of every process of a diagram."""
    for scope in diagram.scopes:
        sets = scope.xml.findall(tag("laneSet"))
        lanes = [lane for each in sets for lane in each.findall(tag("lane"))]
        if scope.parent is not None and lanes:
            diagram.report.error(
                scope.xml, "lane-subprocess", "Lanes inside a subprocess are ignored.",
                "Set the property team on its tasks and remove the lanes.",
            )
        elif lanes:
            _check_process(diagram, scope, lanes)


def _check_process(diagram: Diagram, process: Scope, lanes: list[etree._Element]) -> None:
    report, placed = diagram.report, dict[str, etree._Element]()
    inner = {node.id for node in diagram.nodes(process)} - set(process.nodes)
    for lane in lanes:
        if lane.find(tag("childLaneSet")) is not None:
            report.error(lane, "lane-nested", "Lanes inside a lane are not supported.", "Draw them side by side.")
        for reference in lane.findall(tag("flowNodeRef")):
            name = text_of(reference)
            node = process.nodes.get(name)
            if node is None and name in inner:
                report.error(
                    lane, "lane-subprocess", f"It lists {name[:60]!r}, which lies in a subprocess and takes its lane.",
                    "Set the property team on the task and take it out of the lane.",
                )
            elif node is None:
                report.error(
                    lane, "lane-reference", f"It lists {name[:60]!r}, which is not in the process.",
                    "Move an element in the editor and save the diagram again.",
                )
            elif name in placed:
                report.error(node.xml, "lane-twice", "It lies in two lanes.", "Move it into one of them.")
            else:
                placed[name] = lane
                if node.kind in SUBPROCESSES:
                    report.error(
                        node.xml, "lane-subprocess", "A subprocess in a lane gives its lane to every task in it.",
                        "Use a call activity, or a process without lanes; the property team says who does a task.",
                    )
    _check_teams(diagram, process, placed)


def _check_teams(diagram: Diagram, process: Scope, placed: dict[str, etree._Element]) -> None:
    for node in process.nodes.values():
        team = node.properties.get("team")
        if node.kind != "userTask" or not team:
            continue
        lane = placed.get(node.id)
        if lane is None:
            diagram.report.error(
                node.xml, "lane-team", "It lies in no lane.", "Move it into the lane of its team."
            )
            continue
        teams = listed(properties_of(lane).get("teams", ""))
        if not teams:
            diagram.report.error(
                lane, "lane-teams", "The lane does not say which teams work in it.",
                'Set its property "teams", for example sales.',
            )
        elif team not in teams:
            diagram.report.error(
                node.xml, "lane-team",
                f"Its team is {team!r}, and it lies in the lane {lane.get('name', '')!r} of {', '.join(teams)}.",
                "Move it into the lane of its team, or change the team.",
            )
