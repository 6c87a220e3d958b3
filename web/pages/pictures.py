"""Which diagrams a version's page draws, and what is marked on each."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.definitions import Bundle
from engine.diff import Difference
from engine.findings import local
from engine.safe_xml import parse_xml


@dataclass
class Picture:
    """One diagram file with its marks; `was_in` is the file of the version that it is compared with."""

    now_in: str | None
    was_in: str | None
    names: list[str] = field(default_factory=list)
    """The processes on it that change."""
    marks: dict[str, str] = field(default_factory=dict)
    moved: int = 0

    def count(self, mark: str) -> int:
        return sum(found == mark for found in self.marks.values())

    @property
    def id(self) -> str:
        return f"picture-{self.now_in or self.was_in}"


def pictures(key: str, old: Bundle, new: Bundle, found: Difference, *, with_marks: bool) -> list[Picture]:
    """The main diagram, and every other one that changes; all of them where nothing is compared."""
    made: dict[str, Picture] = {}
    main = file_of(new, key)
    shown = [main] if with_marks else [main, *(name for name in sorted(new.files) if name.endswith(".bpmn"))]
    for file in shown:
        if file is not None:
            made.setdefault(file, Picture(_stem(file), _stem(file) if with_marks and file in old.files else None))
    for diagram in found.diagrams if with_marks else ():
        file = diagram.now_in or diagram.was_in
        assert file is not None
        now = _stem(diagram.now_in) if diagram.now_in else None
        was = _stem(diagram.was_in) if diagram.was_in else None
        picture = made.setdefault(file, Picture(now, was))
        picture.was_in = was or picture.was_in
        picture.names.append(diagram.name)
        picture.marks.update(diagram.marks)
        picture.moved += diagram.moved
    return list(made.values())


def file_of(bundle: Bundle, process: str) -> str | None:
    """The file that draws a process."""
    for name, data in bundle.files.items():
        if name.endswith(".bpmn") and process.encode() in data.replace(b"\0", b""):
            root, _ = parse_xml(data, name)
            if root is not None and any(local(node) == "process" and node.get("id") == process for node in root):
                return name
    return None


def _stem(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".bpmn")
