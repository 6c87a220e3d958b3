"""In which order the steps of a history may stand, read from the shipped diagram itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lxml import etree

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_SPIFF = "{http://spiffworkflow.org/bpmn/schema/1.0/core}"
_ACTIVITIES = ("userTask", "manualTask", "serviceTask", "businessRuleTask", "receiveTask", "scriptTask")


class StepOrder:
    """Which activities may come right before each activity of a diagram.

    Before an activity, one that leads to it must have completed. One that is left over its border (an error, a timer, a
    message) need not have completed itself: then what leads to it must have.
    """

    def __init__(self, diagram: Path) -> None:
        root = etree.fromstring(diagram.read_bytes())
        self._hosts: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._before: dict[str, list[str]] = defaultdict(list)
        for node in root.iter():
            if not isinstance(node.tag, str) or not node.tag.startswith(_BPMN):
                continue
            kind = node.tag.removeprefix(_BPMN)
            if kind == "sequenceFlow":
                self._before[node.get("targetRef", "")].append(node.get("sourceRef", ""))
            elif node.get("id"):
                self._kinds[node.get("id", "")] = kind
                if kind == "boundaryEvent":
                    self._hosts[node.get("id", "")] = node.get("attachedToRef", "")
        self.leads_to = {
            id_: frozenset(self._leading(id_, set())) for id_, kind in self._kinds.items() if kind in _ACTIVITIES
        }
        """For each activity the activities of which one must have completed before; `` is the start."""

    def _leading(self, id_: str, seen: set[str]) -> Iterator[str]:
        for source in self._before[id_]:
            if source in seen:
                continue
            seen.add(source)
            if self._kinds[source] in _ACTIVITIES:
                yield source
            elif self._kinds[source] == "startEvent":
                yield ""
            elif source in self._hosts:
                host = self._hosts[source]
                yield host
                yield from self._leading(host, seen)
            else:
                yield from self._leading(source, seen)

    def faults(self, completed: Iterable[str]) -> Iterator[str]:
        """What stands where it may not, in one order's completed elements, oldest first."""
        done = {""}
        for element in completed:
            allowed = self.leads_to.get(element)
            if allowed is not None and not allowed & done:
                yield f"{element} completed before any of {', '.join(sorted(allowed))}"
            done.add(element)

    def missing(self, completed: Iterable[str], steps: Mapping[int, str]) -> list[int]:
        """The steps that no element of the history has completed."""
        done = set(completed)
        return [number for number, element in sorted(steps.items()) if element not in done]
