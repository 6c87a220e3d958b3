"""Checks files that somebody uploaded in a process of its own: it has a deadline, and its memory an end.

The rules are bounded by themselves (`safe_xml`, the caps of `structure`, `forms` and `decisions`). This is for what
nobody foresaw: whatever a file does to a parser, the caller has an answer in time, and no other request waits.
"""

from __future__ import annotations

import atexit
import base64
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from engine.errors import Choice, Finding
from engine.findings import Report
from engine.lint.helper import TYPES
from handlers.contract import Operation

DEADLINE = 4.0
"""Seconds of work, once more for every 5 MB beyond the first; what other programs take meanwhile does not count."""
PATIENCE = 5
"""After so many times the deadline by the clock on the wall the process is given up, whatever it waits for."""
START = 30.0
"""Seconds that a new process may take until it is ready; a busy machine is slow at that."""
MOST = 2
"""Processes at a time; whoever finds them busy waits."""
_CHUNK = 5 * 1024 * 1024
_ROOT = Path(__file__).parents[2]


def guarded_check(
    files: Mapping[str, bytes], operations: Mapping[str, Operation], teams: Mapping[str, bool] | None = None
) -> list[Finding]:
    """What `check` says of a bundle, or that it took too long. Never raises for what is in the files."""
    seconds = DEADLINE * max(1, sum(len(data) for data in files.values()) // _CHUNK)
    request = orjson.dumps({
        "seconds": seconds,
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
        "operations": [_described(each) for each in operations.values()],
        "messages": sorted(getattr(operations, "messages", ())),
        "teams": None if teams is None else dict(teams),
    })
    answer = POOL.ask(request, seconds * PATIENCE)
    if answer is None:
        return [_gave_up(files, seconds)]
    return [_read(finding) for finding in orjson.loads(answer)]


def _read(finding: dict[str, Any]) -> Finding:
    return Finding(**finding | {"others": tuple(Choice(**each) for each in finding["others"])})


def _gave_up(files: Mapping[str, bytes], seconds: float) -> Finding:
    largest = max(files, key=lambda name: len(files[name]), default="bundle")
    report = Report(largest)
    report.error(
        None, "too-slow", f"The check got no further within {seconds:g} seconds of work; this is the largest file.",
        "Check again if the machine was busy. Else make it smaller: fewer elements, shorter texts, a part of the "
        "process as a call activity.",
    )
    return report.findings[0]


def _described(operation: Operation) -> dict[str, Any]:
    names = {kind: name for name, kind in TYPES.items()}
    gives = operation.gives
    return {
        "name": operation.name, "kind": operation.kind,
        "parameters": [
            (each.name, names.get(each.type, "object"), each.required, each.choices) for each in operation.parameters
        ],
        "gives": None if gives is None else {
            key: sorted(values) if isinstance(values, frozenset) else values for key, values in gives.items()
        },
        "refuses": None if operation.refuses is None else sorted(operation.refuses),
        "reads": sorted(operation.reads), "takes": operation.takes,
    }


class _Helper:
    """One process that checks."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._ready = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engine.lint.helper"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, cwd=_ROOT, env={"PYTHONPATH": str(_ROOT), "PYTHONHASHSEED": "0"},
        )

    def is_ready(self) -> bool:
        """Waits until it takes requests. False when it could not be started."""
        self._ready = self._ready or self._receive(START) == b"ready"
        return self._ready

    def ask(self, request: bytes, seconds: float) -> bytes | None:
        """Its answer; None when it took longer or broke down."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(len(request).to_bytes(8, "big") + request)
            self._process.stdin.flush()
        except OSError:
            return None
        return self._receive(seconds)

    def _receive(self, seconds: float) -> bytes | None:
        ends = time.monotonic() + seconds
        head = self._read(8, ends)
        return None if head is None else self._read(int.from_bytes(head, "big"), ends)

    def _read(self, count: int, ends: float) -> bytes | None:
        assert self._process.stdout is not None
        pipe, parts, left = self._process.stdout.fileno(), [], count
        while left:
            ready, _, _ = select.select([pipe], [], [], max(0.0, ends - time.monotonic()))
            part = os.read(pipe, min(left, 65_536)) if ready else b""
            if not part:
                return None
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Kills it, whatever it is doing."""
        if self.owner != os.getpid():
            return  # a forked worker holds a copy of its parent's pipes, and leaves the process to the parent
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        self._process.wait()


class Pool:
    """The processes of this program: started when first needed, replaced when one had to be killed."""

    def __init__(self) -> None:
        self._room = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._idle: list[_Helper] = []

    def ask(self, request: bytes, seconds: float) -> bytes | None:
        """The answer of one of them; None when it took longer than `seconds` or broke down."""
        with self._room:
            helper = self._take()
            answer = helper.ask(request, seconds) if helper is not None else None
            if helper is not None and answer is None:
                helper.end()
            elif helper is not None:
                with self._lock:
                    self._idle.append(helper)
            return answer

    def warm(self) -> None:
        """Starts one ahead of its first request; it gets ready while the caller does something else."""
        with self._lock:
            if not self._idle:
                self._idle.append(_Helper())

    def _take(self) -> _Helper | None:
        with self._lock:
            self._idle = [helper for helper in self._idle if helper.owner == os.getpid()]
            helper = self._idle.pop() if self._idle else _Helper()
        if helper.is_ready():
            return helper
        helper.end()
        return None

    def close(self) -> None:
        """Ends those that are idle."""
        with self._lock:
            for helper in self._idle:
                helper.end()
            self._idle = []


POOL = Pool()
atexit.register(POOL.close)
