"""What a version has otherwise, as seen from where an instance stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from engine.definitions import Definition, Element
from engine.diff import Detail, compare
from engine.lint.counting import CountsOn
from engine.specs import BPMN
from engine.transfer import names_of
from engine.ways import Node, Ways

_ACTIVITIES = ("Task", "task", "subProcess", "callActivity", "transaction")
_PLAIN = ("name", "documentation", "instructions")
"""Details that change no way: only what people read."""


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that is open now and changes."""

    element: Element
    why: str


class Changes:
    """Two versions compared. Made once, asked for many places."""

    def __init__(self, old: Definition, new: Definition) -> None:
        self.old, self.new = old, new
        self._difference = compare(old.bundle, new.bundle)
        self._forms = {user.element: change for change in self._difference.forms for user in change.used_by}
        self._ways = lru_cache(maxsize=None)(lambda process: Ways(new, process))
        self._ways_before = lru_cache(maxsize=None)(lambda process: Ways(old, process))
        self._marked = lru_cache(maxsize=None)(self._find_marked)

    def open_task(self, process: str, standing: frozenset[Node]) -> OpenTask | None:
        """The first open task whose form or gate changes."""
        for sub, name in sorted(standing):
            spec = names_of(self.new, process, sub).get(name)
            if spec is None or not spec.manual or spec.bpmn_id is None:
                continue
            element = self._element(self.new, spec.bpmn_id)
            was = self._element(self.old, spec.bpmn_id)
            if element is None or was is None:
                continue
            told = self._told(was, element)
            if told:
                step = f"at step {element.step}: " if element.step is not None else ""
                kept = "whoever signs reads the new gate" if element.is_approval else "drafts and due times are kept"
                return OpenTask(element, f"{step}{kept}; {listed(told)}")
        return None

    def _told(self, was: Element, now: Element) -> list[str]:
        """What changes for people who have the task open."""
        told = []
        change = self._forms.get(now.id)
        old_form, new_form = (e.properties.get("formJsonSchemaFilename") for e in (was, now))
        if old_form != new_form:
            told.append(f"the form is {new_form or 'gone'}")
        elif change is not None:
            told.extend(_form_words(change.details))
        for name, word in (("team", "team"), ("step", "step")):
            if was.properties.get(name) != now.properties.get(name):
                told.append(f"the {word} is {now.properties.get(name) or 'none'}")
        if now.is_approval and dict(was.properties) != dict(now.properties) and not told:
            told.append("the gate changes")
        return told

    def ahead(self, process: str, standing: frozenset[Node]) -> tuple[list[Element], list[Element]]:
        """New activities, and other elements that are new or changed, that lie ahead of here."""
        added, changed = self._marked(process)
        reached = self._ways(process).ahead(standing)
        return self._sorted(added & reached), self._sorted(changed & (reached | self._here(process, standing)))

    def gone(self, process: str, standing: frozenset[Node]) -> list[Element]:
        """Activities that lay ahead of here and that the new version does not have."""
        reached = self._ways_before(process).ahead(standing)
        elements = [e for diagram in self.old.diagrams.values() for e in diagram.elements.values()]
        return [e for e in elements if e.id in reached and e.kind.endswith(_ACTIVITIES)
                and self._element(self.new, e.id) is None]

    def lacking(
        self, process: str, standing: frozenset[Node], then: CountsOn, now: CountsOn
    ) -> tuple[tuple[str, Element], ...]:
        """Variables that the new version surely has here and the old one does not, each with what reads it next.

        `then`, `now`: what the two versions count on.
        """
        specs = [names_of(self.new, process, sub).get(name) for sub, name in standing]
        here = [spec.bpmn_id for spec in specs if spec is not None and spec.bpmn_id is not None]
        found = []
        for name in sorted({name for id_ in here for name in now.surely(id_) - then.surely(id_)}):
            ahead = self._ways(process).avoiding(standing, now.writers(name))
            reading = sorted(id_ for id_ in ahead if name in now.reads(id_))
            element = self._element(self.new, reading[0]) if reading else None
            if element is not None:
                found.append((name, element))
        return tuple(found)

    def before(self, process: str, element: Element) -> str:
        """Where a new element stands: `before step 11`."""
        steps = {e.id: e.step for e in self.new.diagram(process).elements.values() if e.step is not None}
        if element.step is not None:
            return f"before step {element.step}"
        following = self._ways(process).next_step(element.id, steps)
        return f"before step {following}" if following is not None else f"before “{element.name}”"

    def _here(self, process: str, standing: frozenset[Node]) -> frozenset[str]:
        """Elements where it stands: their ways out count as ahead."""
        specs = [names_of(self.new, process, sub).get(name) for sub, name in standing]
        return frozenset(f"{spec.bpmn_id}{_OUT}" for spec in specs if spec is not None and spec.bpmn_id)

    def _find_marked(self, process: str) -> tuple[frozenset[str], frozenset[str]]:
        """Added activities, and what else is added or changed; a flow counts as its source's way out."""
        added, changed = set(), set()
        sources = {**_flows(self.old), **_flows(self.new)}
        for diagram in self._difference.diagrams:
            plain = {c.element for c in diagram.told if c.details and all(d.what in _PLAIN for d in c.details)}
            for id_, mark in diagram.marks.items():
                element = self._element(self.new, id_)
                if id_ in sources:
                    changed |= {sources[id_], sources[id_] + _OUT}
                elif mark == "added" and element is not None and element.kind.endswith(_ACTIVITIES):
                    added.add(id_)
                elif mark != "removed" and id_ not in plain:
                    changed.add(id_)
        return frozenset(added), frozenset(changed)

    def _sorted(self, ids: frozenset[str]) -> list[Element]:
        """Elements in the order of the diagram."""
        wanted = {id_.removesuffix(_OUT) for id_ in ids}
        return [e for diagram in self.new.diagrams.values() for e in diagram.elements.values() if e.id in wanted]

    @staticmethod
    def _element(definition: Definition, id_: str) -> Element | None:
        return next((d.elements[id_] for d in definition.diagrams.values() if id_ in d.elements), None)


_OUT = " →"
"""Marks an element's ways out, which are no part of an id."""


def _flows(definition: Definition) -> Mapping[str, str]:
    """Sequence flow → the element it comes from."""
    found = {}
    for name, data in definition.bundle.files.items():
        if name.endswith(".bpmn"):
            root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
            for flow in root.iter(f"{{{BPMN}}}sequenceFlow"):
                found[flow.get("id", "")] = flow.get("sourceRef", "")
    return found


def _form_words(details: Sequence[Detail]) -> list[str]:
    """`one more field: Gift`, `one field less: Note`, else what changed."""
    fields = [detail for detail in details if detail.what.startswith("field ")]
    more = [d.what.removeprefix("field ") for d in fields if d.was is None]
    less = [d.what.removeprefix("field ") for d in fields if d.now is None]
    rest = [d.words for d in details if d.was is not None and d.now is not None]
    told = []
    for names, one, many in ((more, "one more field", "more fields"), (less, "one field less", "fields less")):
        if names:
            told.append(f"{one if len(names) == 1 else f'{len(names)} {many}'}: {listed(names)}")
    return told + (rest[:3] if rest else []) or ["the form changes"]


def listed(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`, `A, B and 4 more`."""
    names = list(dict.fromkeys(names))
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
