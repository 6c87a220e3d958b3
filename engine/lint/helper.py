"""The process that looks at files nobody trusts: it answers requests on its standard input until that ends.

It holds no secret (`guard` starts it with an empty environment), writes nowhere, and is killed when it takes too long.
"""

from __future__ import annotations

import base64
import os
import resource
import signal
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

import orjson

from engine.executable import with_fixes
from engine.lint.bundle import check
from handlers.contract import Operation, Parameter, Registry

MAX_MEMORY = 2 * 1024**3
"""Bytes of address space; a check of the largest bundle needs a tenth."""
TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
"""Types of parameters that the rules tell apart; any other is `object`."""


def main() -> None:
    """Says that it is ready, then answers one request after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; the end of its pipe ends this process
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    sys.stdout = sys.stderr  # nothing that prints may get between the answers
    send(answers, b"ready")
    while (request := receive(sys.stdin.buffer)) is not None:
        asked = orjson.loads(request)
        signal.setitimer(signal.ITIMER_PROF, asked["seconds"])  # the signal ends this process, whatever it is doing
        answer = _answer(asked)
        signal.setitimer(signal.ITIMER_PROF, 0)
        send(answers, answer)


def send(pipe: BinaryIO, data: bytes) -> None:
    """Writes one message: its length in eight bytes, then itself."""
    pipe.write(len(data).to_bytes(8, "big") + data)
    pipe.flush()


def receive(pipe: BinaryIO) -> bytes | None:
    """Reads one message; None when the other side is gone."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    data = pipe.read(int.from_bytes(head, "big"))
    return data if len(data) == int.from_bytes(head, "big") else None


def _answer(request: dict[str, Any]) -> bytes:
    files = {name: base64.b64decode(data) for name, data in request["files"].items()}
    operations = Registry(
        {each["name"]: _operation(each) for each in request["operations"]}, messages=request["messages"]
    )
    findings = with_fixes(check(files, operations, request["teams"]), files, operations, request["teams"])
    return orjson.dumps([asdict(finding) for finding in findings])


def _operation(described: dict[str, Any]) -> Operation:
    parameters = tuple(
        Parameter(name, TYPES.get(kind, object), needed, None if choices is None else tuple(choices))
        for name, kind, needed, choices in described["parameters"]
    )
    gives = described["gives"]
    return Operation(
        described["name"], described["kind"], None, None, parameters, "",
        gives=None if gives is None else {
            key: frozenset(values) if isinstance(values, list) else values for key, values in gives.items()
        },
        refuses=None if described["refuses"] is None else frozenset(described["refuses"]),
        reads=frozenset(described["reads"]), takes=tuple(described["takes"]),
    )


if __name__ == "__main__":
    main()
