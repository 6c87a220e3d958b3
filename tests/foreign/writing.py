"""How diagrams are written down: namespaces, prefixes, ids and pictures, with words that every tool's files share."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, pairwise

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
_DRAWING = (
    'xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
    'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


@dataclass
class Tool:
    """The habits of one tool."""

    prefix: str = "bpmn:"
    """Of BPMN's elements; empty: the default namespace."""
    namespaces: str = ""
    attributes: str = ""
    """Of the root."""
    encoding: str = "UTF-8"
    written_as: str = ""
    """How the bytes are encoded, when Python calls it otherwise."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def tag(self, tag: str, inner: str = "", /, **attributes: str) -> str:
        """One element: `id` and what else is given; a trailing underscore in a name is dropped."""
        p = self.prefix
        written = "".join(f' {key.rstrip("_").replace("__", ":")}="{value}"' for key, value in attributes.items())
        return f"<{p}{tag}{written}>{inner}</{p}{tag}>" if inner else f"<{p}{tag}{written}/>"

    def extensions(self, inner: str) -> str:
        return self.tag("extensionElements", inner)

    def flow(self, source: str, target: str, condition: str = "", name: str = "", language: str = "") -> str:
        """A sequence flow called after its ends; the condition as the tool writes it."""
        inner = ""
        if condition:
            more = {"language": language} if language else {}
            inner = self.tag("conditionExpression", condition, xsi__type=f"{self.prefix}tFormalExpression", **more)
        names = {"name": name} if name else {}
        return self.tag("sequenceFlow", inner, id=f"f_{source}_{target}", sourceRef=source, targetRef=target, **names)

    def flows(self, *names: str) -> str:
        """A chain of flows."""
        return "".join(self.flow(first, then) for first, then in pairwise(names))

    def file(self, inner: str, shapes: tuple[str, ...] = ()) -> bytes:
        """The whole file, with a picture of these elements, a hundred and fifty pixels apart."""
        p = f"xmlns:{self.prefix[:-1]}" if self.prefix else "xmlns"
        drawn = "".join(
            f'<bpmndi:BPMNShape id="s{next(self._numbers)}" bpmnElement="{name}">'
            f'<dc:Bounds x="{100 + 150 * place}" y="100" width="100" height="80"/></bpmndi:BPMNShape>'
            for place, name in enumerate(shapes)
        )
        picture = (
            f'<bpmndi:BPMNDiagram id="picture"><bpmndi:BPMNPlane id="plane">{drawn}</bpmndi:BPMNPlane>'
            "</bpmndi:BPMNDiagram>" if shapes else ""
        )
        text = (
            f'<?xml version="1.0" encoding="{self.encoding}"?>\n<!-- drawn elsewhere -->\n'
            f'<{self.prefix}definitions {p}="{BPMN}" {_DRAWING} {self.namespaces} {self.attributes} '
            f'id="definitions" targetNamespace="urn:elsewhere">{inner}{picture}</{self.prefix}definitions>'
        )
        return text.encode(self.written_as or self.encoding)
