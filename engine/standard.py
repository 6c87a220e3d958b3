"""What the BPMN standard allows and other tools write, brought to the one form that rules and engine read.

Both work on a parsed copy in memory; the file stays as its author saved it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
_B = f"{{{BPMN}}}"

DRAWN_ONLY = frozenset(
    {
        "dataObject", "dataObjectReference", "dataStore", "dataStoreReference", "dataInputAssociation",
        "dataOutputAssociation", "ioSpecification", "property", "resourceRole", "performer", "humanPerformer",
        "potentialOwner", "textAnnotation", "association", "group",
    }
)
"""Elements that tell a reader something and move no token: data, who is responsible, remarks."""
_FLAGS = (
    "isExecutable", "cancelActivity", "isInterrupting", "parallelMultiple", "isSequential", "testBefore",
    "triggeredByEvent", "isForCompensation", "isClosed", "instantiate",
)
_BOOLEANS = {"1": "true", "0": "false", "true": "true", "false": "false"}


def read_booleans(root: etree._Element) -> None:
    """Writes `1` and `0`, which xs:boolean allows too, as `true` and `false`."""
    for node in root.iter(f"{_B}*"):
        for flag in _FLAGS:
            value = node.get(flag)
            if value is not None and value.strip() in _BOOLEANS:
                node.set(flag, _BOOLEANS[value.strip()])


def is_executable(process: etree._Element) -> bool:
    """Whether a process is marked to be run."""
    return (process.get("isExecutable") or "").strip() in ("true", "1")


def processes_run(root: etree._Element) -> list[etree._Element]:
    """The processes of a file that are meant to run: the executable ones; all of them where none is marked.

    In a collaboration one pool is run, and the others show what partners do.
    """
    processes = root.findall(f"{_B}process")
    return [process for process in processes if is_executable(process)] or processes


def iter_run(root: etree._Element) -> Iterator[etree._Element]:
    """Every BPMN element of a file in its order, without what lies in processes that are only drawn."""
    run = set(processes_run(root))
    for child in root:
        if child.tag != f"{_B}process" or child in run:
            yield from child.iter(f"{_B}*")


def leave_what_runs(root: etree._Element) -> None:
    """Takes out of a parsed copy what is only drawn, so that the engine never meets it."""
    run = set(processes_run(root))
    drawn = [process for process in root.findall(f"{_B}process") if process not in run]
    drawn += [node for node in root.iter(f"{_B}*") if node.tag.removeprefix(_B) in DRAWN_ONLY]
    for node in drawn:
        parent = node.getparent()
        if parent is not None:
            parent.remove(node)
