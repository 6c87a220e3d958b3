"""Why a task was withdrawn: what ended it in place of a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from engine.safe_xml import parse_xml
from engine.views import DiagramView, EventView, TaskView
from web.incoming import happened
from web.names import who
from web.pages.shell import times
from web.services import current_services
from web.texts import N_, _

_BOUNDARY = "{http://www.omg.org/spec/BPMN/20100524/MODEL}boundaryEvent"
_OTHERWISE = N_("The order went another way.")
_SAME_COMMAND = timedelta(seconds=5)
"""A task is withdrawn in the command that ends it; its line of the history is a moment older or younger."""


def why_withdrawn(task: TaskView) -> str:
    """A sentence: `The courier reported the pickup at 09:06.`"""
    ended = task.completed_at
    if ended is None:
        return _(_OTHERWISE)
    journey = current_services().engine.journey(task.order)
    events = [e for e in journey.events if abs(e.at - ended) <= _SAME_COMMAND]
    ends = _ends(journey.diagrams, task)
    for event in sorted(events, key=lambda e: abs(e.at - ended)):
        if event.kind == "cancelled":
            by, at = who(event.actor), times().when(event.at)
            return _("%(person)s cancelled the order at %(when)s.", person=by, when=at)
        if event.element in ends and event.kind in ("message", "completed"):
            return _sentence(event)
    return _(_OTHERWISE)


def _sentence(event: EventView) -> str:
    at = times().when(event.at)
    if event.kind == "message":
        return _("%(happened)s at %(when)s.", happened=happened(str(event.detail.get("message", ""))), when=at)
    return _("The time for it ran out at %(when)s: %(timer)s.", when=at, timer=event.name or event.element)


def _ends(diagrams: Iterable[DiagramView], task: TaskView) -> frozenset[str]:
    """The boundary events on the task's element."""
    found = set()
    for diagram in diagrams:
        root, _faults = parse_xml(diagram.xml.encode(), diagram.process)
        for node in root.iter(_BOUNDARY) if root is not None else ():
            if node.get("attachedToRef") == task.element:
                found.add(node.get("id", ""))
    return frozenset(found)
