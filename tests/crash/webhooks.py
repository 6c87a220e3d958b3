"""What counterparties have to tell the shop: kept in a file until it was taken, signed, sent several times and in any
order."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

_SCHEMA = """
CREATE TABLE IF NOT EXISTS webhook (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, order_number TEXT NOT NULL, payload TEXT NOT NULL,
    copies INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0, refused TEXT
)"""
MOST_COPIES = 5
"""How often a webhook may be sent although it was taken."""


class Webhooks:
    """The file. A webhook is on disk when `post` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=20, isolation_level=None)) as connection:
            yield connection

    def post(self, id_: str, name: str, order: str, payload: Mapping[str, Any], copies: int) -> None:
        """Wants to tell something; the same id again is one copy more."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO webhook (id, name, order_number, payload, copies) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET copies = copies + 1",
                (id_, name, order, json.dumps(payload), copies),
            )

    def unsent(self) -> list[tuple[str, str, str, str]]:
        """Id, name, order and payload of what is still to be sent at least once."""
        with self._open() as connection:
            return connection.execute(
                "SELECT id, name, order_number, payload FROM webhook WHERE copies > 0 AND refused IS NULL LIMIT 200"
            ).fetchall()

    def taken(self, id_: str) -> None:
        with self._open() as connection:
            connection.execute(
                "UPDATE webhook SET copies = max(copies - 1, 0), taken = taken + 1 WHERE id = ?", (id_,))

    def refused(self, id_: str, why: str) -> None:
        with self._open() as connection:
            connection.execute("UPDATE webhook SET refused = ? WHERE id = ?", (why, id_))

    def faults(self) -> list[str]:
        """Webhooks that the shop refused for good: it would never learn what they say."""
        with self._open() as connection:
            rows = connection.execute("SELECT id, name, refused FROM webhook WHERE refused IS NOT NULL").fetchall()
        return [f"webhooks: {name} {id_} was refused: {why}" for id_, name, why in rows]


class Sender:
    """Threads that send what is there, in any order, to any web process, until each copy was taken."""

    def __init__(self, webhooks: Webhooks, secret: str, ports: Sequence[int], *, threads: int = 3) -> None:
        self._webhooks, self._signer, self._ports = webhooks, Webhook(secret), ports
        for number in range(threads):
            threading.Thread(target=self._loop, args=(random.Random(number),), daemon=True).start()

    def _loop(self, chance: random.Random) -> None:
        while True:
            waiting = self._webhooks.unsent()
            if not waiting:
                time.sleep(0.02)
                continue
            if not self._send(chance.choice(waiting), chance.choice(self._ports)):
                time.sleep(0.02)

    def _send(self, webhook: tuple[str, str, str, str], port: int) -> bool:
        id_, name, order, payload = webhook
        body = json.dumps({"id": id_, "order": order, "payload": json.loads(payload)})
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json", "webhook-id": id_, "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(id_, now, body),
        }  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", f"/api/v1/messages/{name}", body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if answer.status in (200, 202):
            self._webhooks.taken(id_)
            return True
        if 400 <= answer.status < 500 and answer.status not in (408, 409, 429):
            self._webhooks.refused(id_, f"{answer.status} {said.decode(errors='replace')[:200]}")
        return False
