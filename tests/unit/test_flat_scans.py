"""Looking for a task through all tasks finds what the library's walk through the history finds, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from SpiffWorkflow.bpmn import BpmnWorkflow

from engine.codec import Workflow
from tests.unit.test_demo_tally import play


def test_a_scan_finds_what_the_walk_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compared for every search while orders meet approvals, exceptions, timers and reworks."""
    scan = Workflow.get_tasks_iterator
    asked: list[int] = []

    def compared(self: Workflow, first_task: Any = None, **wanted: Any) -> Iterator[Any]:
        found = list(scan(self, first_task, **wanted))
        walked = list(BpmnWorkflow.get_tasks_iterator(self, first_task, **wanted))
        assert [task.id for task in found] == [task.id for task in walked]
        asked.append(len(found))
        return iter(found)

    monkeypatch.setattr(Workflow, "get_tasks_iterator", compared)
    parts, ended, _ = play(tmp_path / "var", orders=8)

    assert ended
    assert len(asked) > 500
    assert min(asked) == 0
    assert max(asked) > 1
    parts.database.dispose()
