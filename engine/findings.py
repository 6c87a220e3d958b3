"""Collects what the linter has to say about one file, so that every rule speaks of elements in the same way."""

from __future__ import annotations

from lxml import etree

from engine.errors import Finding

MAX_FINDINGS = 500
"""Findings kept of one file; a file that is wrong all over is not made better by listing more."""


def local(node: etree._Element) -> str:
    """The tag without its namespace; empty for comments and processing instructions."""
    tag = node.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


class Report:
    """The findings of one file, in the order they were found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)

    def error(self, node: etree._Element | None, rule: str, message: str, advice: str) -> None:
        """Something that keeps the bundle from being deployed."""
        self._add(node, rule, message, advice, warn=False)

    def warning(self, node: etree._Element | None, rule: str, message: str, advice: str) -> None:
        """Something that is probably a slip."""
        self._add(node, rule, message, advice, warn=True)

    def _add(self, node: etree._Element | None, rule: str, message: str, advice: str, *, warn: bool) -> None:
        if len(self.findings) >= MAX_FINDINGS:
            return
        shown = _with_id(node)
        name = shown.get("name") if shown is not None else None
        self.findings.append(
            Finding(
                file=self.file,
                element=_cut(shown.get("id")) if shown is not None else None,
                name=_cut(" ".join(name.split())) if name else None,
                line=_line(node),
                rule=rule,
                message=message,
                advice=advice,
                severity="warning" if warn else "error",
            )
        )


def _with_id(node: etree._Element | None) -> etree._Element | None:
    """The element itself, or the nearest one around it that bears an id, so that it can be found in an editor."""
    while node is not None and not node.get("id"):
        node = node.getparent()
    return node


def _line(node: etree._Element | None) -> int | None:
    line = node.sourceline if node is not None else None
    return line if isinstance(line, int) else None


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= 120 else text[:119] + "…"
