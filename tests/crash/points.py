"""Labelled points: where a process can be told to kill itself, and which labels a whole run must have met.

A point that is armed writes its label to a log that is on disk before the process dies, so that the run knows.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from handlers.contract import External, Registry

COMMANDS = (
    "start", "complete", "decide", "deliver", "cancel", "claim", "release", "assign", "draft", "take", "finish",
    "fail", "timer", "due", "step", "retry", "keep form", "keep decision", "keep message", "form", "decision",
    "message", "resolve", "set aside", "put back", "seal",
)  # fmt: skip
"""Every kind of transaction that moves an order. `take` is a worker claiming a job; `timer`, `due`, `step`, `form`,
`decision` and `message` are the jobs of those kinds; `keep …` stores what a person or a sender gave when taking it
failed."""

CALLS = {
    "courier.book": ("courier.book", "courier.cancel"),
    "courier.cancel": ("courier.cancel",),
    "courier.proof": ("courier.proof",),
    "document.render": ("renderer.pdf", "files.put"),
    "mail.send": ("mail.send",),
    "order.archive": ("files.put", "renderer.pdf"),
    "payment.capture": ("payments.authorise", "payments.capture", "payments.void"),
    "payment.confirm_refunds": ("payments.refund",),
    "payment.refund": ("payments.refund",),
    "shipping.create_label": ("renderer.pdf", "files.put"),
    "staff.mail": ("mail.send",),
}
"""What the performing of each external operation calls: between two of them, one has been done and not the other."""
SELDOM = ("courier.track", "courier.find", "payments.find")
"""Calls that only follow on others' failures; met by chance, never demanded."""


def before_commit(command: str) -> str:
    return f"before commit: {command}"


def after_commit(command: str) -> str:
    return f"after commit: {command}"


def expected(registry: Registry) -> list[str]:
    """Every label that a run must meet, from the commands and from the external operations that are registered."""
    return [label for command in COMMANDS for label in (before_commit(command), after_commit(command))] + [
        label for name, operation in registry.items() if operation.external is not None
        for label in _of_operation(name, type(operation.external))
    ]  # fmt: skip


def _of_operation(name: str, kind: type[External]) -> Iterator[str]:
    yield f"prepare: {name}"
    yield f"before perform: {name}"
    for call in CALLS[name]:
        yield f"in perform: {name}, after {call}"
    yield f"after perform: {name}"
    yield f"record: {name}"
    if kind.refused is not External.refused:
        yield f"record refusal: {name}"


class Points:
    """The points of one process. The log is shared by all processes of a run."""

    def __init__(self, log: Path, deaths: int) -> None:
        self._log, self._deaths = log, deaths
        self._done: set[str] = set()
        self._lock = threading.Lock()

    def reach(self, label: str) -> None:
        """Kills this process, unless the label has killed as often as it shall."""
        if not self._deaths or label in self._done:
            return
        with self._lock:
            if deaths(self._log)[label] >= self._deaths:
                self._done.add(label)
                return
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(descriptor, f"{label}\n".encode())
            os.fsync(descriptor)
            os.kill(os.getpid(), signal.SIGKILL)


def deaths(log: Path) -> Counter[str]:
    """How often each label has killed so far."""
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


def missing(log: Path, labels: Iterable[str], times: int) -> list[str]:
    """The labels that have not killed as often as they shall."""
    found = deaths(log)
    return [label for label in labels if found[label] < times]


def surprising(log: Path, labels: Iterable[str]) -> list[str]:
    """Labels that were met and are neither expected nor seldom: the lists above have fallen behind."""
    known = set(labels)
    return [
        label for label in deaths(log)
        if label not in known and not any(label.endswith(call) for call in SELDOM)
    ]  # fmt: skip
