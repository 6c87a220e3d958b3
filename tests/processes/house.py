"""Runs `waybill` as a person would: in processes of its own, told what to do by the environment alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
"""Seconds until a test gives up; on a machine of its own everything takes a few."""


@dataclass
class House:
    """One installation: its data folder and its variables."""

    var: Path
    variables: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on by itself."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYBILL_") and name != "PORT"}
        process = subprocess.Popen(
            [sys.executable, "-c", "from cli import main; main()", *arguments], cwd=ROOT, text=True,
            env=kept | {"WAYBILL_VAR": str(self.var)} | self.variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    def does(self, *arguments: str) -> tuple[int, str]:
        """A command to its end: exit code, and everything it said."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=3 * PATIENCE)
        return process.returncode, output

    def serves(self, *arguments: str) -> Server:
        """A server, as soon as it is ready."""
        self.variables["PORT"] = str(free_port())
        server = Server(self.start(*arguments), f"http://127.0.0.1:{self.variables['PORT']}")
        server.until(lambda: server.get("/readyz")[0] == 200, "ready")
        return server

    def end(self) -> None:
        """Leaves no process behind."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.started.clear()

    def ask(self, statement: str) -> list[Any]:
        """Rows of the SQLite database; none while there are no tables yet."""
        path = self.var / "waybill.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            try:
                return connection.execute(statement).fetchall()
            except sqlite3.OperationalError:
                return []


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        """Status (0: nobody listens) and body."""
        return self._call(urllib.request.Request(self.url + path, headers=_bearer(token)))

    def post(self, path: str, body: Any, token: str, key: str) -> tuple[int, Any]:
        headers = _bearer(token) | {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._call(urllib.request.Request(self.url + path, json.dumps(body).encode(), headers))

    @staticmethod
    def _call(request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, None

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Waits for something that other processes bring about; fails when this one ends before."""
        limit = time.monotonic() + PATIENCE
        while not true():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < limit, f"never {what}"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Asks it to end: exit code, and everything it said."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
