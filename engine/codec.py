"""State and values as bytes: canonical JSON, compressed where it is stored.

The state of a workflow is written without its diagram: all instances of a version share one parsed diagram
(ENGINE-NOTES, "State"). `StateCodec` is the interface; `SharedSpecCodec` keeps SpiffWorkflow's own converters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Protocol
from uuid import UUID

import orjson
import zstandard
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.serializer.default.workflow import BpmnWorkflowConverter, WorkflowConverter
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.bpmn.util.task import BpmnTaskFilter
from SpiffWorkflow.spiff.serializer import DEFAULT_CONFIG
from SpiffWorkflow.util.task import TaskState

Specs = tuple[Any, dict[str, Any]]
"""A parsed process: SpiffWorkflow's process spec and its subprocess specs."""


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no white space. Equal values give equal bytes, so they can be hashed."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def pack(value: Any) -> bytes:
    """Plain JSON values as compressed bytes."""
    return zstandard.compress(orjson.dumps(value), 3)


def unpack(data: bytes) -> Any:
    """What `pack` packed."""
    return orjson.loads(zstandard.decompress(data))


class Workflow(BpmnWorkflow):
    """SpiffWorkflow's workflow; a class of its own so that its converter can leave the diagram out."""

    def get_tasks_iterator(self, first_task: Any = None, **wanted: Any) -> Iterator[Any]:
        """As the library's, which walks the whole history each time; where one task at most is found, there is no
        order to keep, and looking through them is enough."""
        if first_task is None and not self.subprocesses and wanted.keys() <= _FLAT:
            matches = BpmnTaskFilter(**wanted).matches
            found = [task for task in self.tasks.values() if matches(task)]
            if len(found) < 2:
                return iter(found)
        walked: Iterator[Any] = super().get_tasks_iterator(first_task, **wanted)
        return walked


class _SharedSpecConverter(BpmnWorkflowConverter):
    """Writes a workflow without its spec; restoring takes the spec from `specs`, set for the call."""

    def to_dict(self, workflow: Any) -> dict[str, Any]:
        document: dict[str, Any] = WorkflowConverter.to_dict(self, workflow)
        document["subprocesses"] = self.mapping_to_dict(workflow.subprocesses)
        return document

    def from_dict(self, document: dict[str, Any]) -> Any:
        workflow = self.target_class(*document.pop("specs"), deserializing=True)
        workflow.tasks = self.mapping_from_dict(document["tasks"], UUID, workflow=workflow)
        workflow.task_tree = workflow.tasks[UUID(document["root"])]
        self.set_default_attributes(workflow, document)
        self.subprocesses_from_dict(document["subprocesses"], workflow)
        return workflow


def _registry() -> Any:
    config = {spec: converter for spec, converter in DEFAULT_CONFIG.items() if spec is not BpmnWorkflow}
    config[Workflow] = _SharedSpecConverter
    return BpmnWorkflowSerializer.configure(config)


class StateCodec(Protocol):
    """Turns a workflow in memory into bytes and back, given the parsed diagram."""

    def encode(self, workflow: Workflow) -> bytes: ...

    def decode(self, state: bytes, specs: Specs) -> Workflow: ...


_FLAT = {"state", "manual", "spec_name", "spec_class", "lane", "catches_event"}
"""What can be asked of each task by itself."""
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FINISHED = TaskState.FINISHED_MASK


class SharedSpecCodec:
    """SpiffWorkflow's stock converters without the diagram, as compressed JSON.

    What does not compress and nobody reads is left out: when each task changed its state, and the random ids of
    tasks that are finished. Those are numbered; tasks that are still to be done keep the id that rows refer to.
    """

    def __init__(self) -> None:
        self._registry = _registry()

    def encode(self, workflow: Workflow) -> bytes:
        document = self._registry.convert(workflow)
        finished = []
        for tree in (document, *document["subprocesses"].values()):
            for task_id, task in tree["tasks"].items():
                task["last_state_change"] = 0
                if task["state"] & _FINISHED:
                    finished.append(task_id)
        numbers = {each.encode(): str(UUID(int=n)).encode() for n, each in enumerate(finished, start=1)}
        text = _UUID.sub(lambda found: numbers.get(found[0], found[0]), orjson.dumps(document))
        return zstandard.compress(text, 3)

    def decode(self, state: bytes, specs: Specs) -> Workflow:
        document = unpack(state)
        document["specs"] = specs
        workflow = self._registry.restore(document)
        assert isinstance(workflow, Workflow)
        return workflow


def wire_loops(specs: Specs) -> None:
    """Connects the loop callbacks of a shared spec once; a half-done multi-instance would hang after a restart."""
    for spec in (specs[0], *specs[1].values()):
        for task_spec in spec.task_specs.values():
            if isinstance(task_spec, LoopTask):
                child = spec.task_specs[task_spec.task_spec]
                if not child.completed_event.is_connected(task_spec.merge_child):
                    child.completed_event.connect(task_spec.merge_child)
