"""CPU time, SQL statements and commits of commands."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from engine import Engine


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command cost."""

    cpu_ms: float
    statements: int
    commits: int


class Meter:
    """Watches the commands of an engine. Nested commands count for the outermost one."""

    def __init__(self, engine: Engine) -> None:
        self.costs: dict[str, list[Cost]] = defaultdict(list)
        self.outside_ms = 0.0
        """CPU spent in what external operations do outside: papers, mails, the simulated companies."""
        self._statements = self._commits = self._depth = 0
        event.listen(engine.database.engine, "before_cursor_execute", self._statement)
        event.listen(engine.database.engine, "commit", self._commit)
        for name in ("start", "complete", "decide", "deliver", "claim_next", "run_job"):
            setattr(engine, name, self._watched(name, getattr(engine, name)))
        for operation in engine.registry.values():
            if operation.external is not None:
                setattr(operation.external, "perform", self._outside(operation.external.perform))  # noqa: B010

    @property
    def cpu_ms(self) -> float:
        """CPU of all commands so far, without what happens outside."""
        return sum(cost.cpu_ms for costs in self.costs.values() for cost in costs)

    def commits(self) -> int:
        """How many transactions were committed."""
        return sum(cost.commits for costs in self.costs.values() for cost in costs)

    def statements(self) -> int:
        return sum(cost.statements for costs in self.costs.values() for cost in costs)

    def most_statements(self) -> tuple[int, str]:
        """The most statements that one command took, and which command it was."""
        return max((cost.statements, name) for name, costs in self.costs.items() for cost in costs)

    def reset(self) -> None:
        self.costs.clear()
        self.outside_ms = 0.0

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measures a block as one command."""
        if self._depth:
            yield
            return
        self._depth, statements, commits, outside = 1, self._statements, self._commits, self.outside_ms
        began = time.process_time()
        try:
            yield
        finally:
            spent = (time.process_time() - began) * 1000 - (self.outside_ms - outside)
            self._depth = 0
            self.costs[name].append(Cost(spent, self._statements - statements, self._commits - commits))

    def _watched(self, name: str, command: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.measure(name):
                return command(*args, **kwargs)

        return watched

    def _outside(self, perform: Callable[..., Any]) -> Callable[..., Any]:
        def watched(arguments: Any, key: str) -> Any:
            began = time.process_time()
            try:
                return perform(arguments, key)
            finally:
                self.outside_ms += (time.process_time() - began) * 1000

        return watched

    def _statement(self, *_args: Any) -> None:
        self._statements += 1  # BEGIN, SAVEPOINT and RELEASE count too

    def _commit(self, _connection: Any) -> None:
        self._commits += 1
