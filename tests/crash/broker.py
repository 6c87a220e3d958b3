"""A broker that breaks down on demand: processes reach RabbitMQ through a door that the supervisor can slam."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from kombu import Connection
from kombu.exceptions import OperationalError

BROKER = os.environ.get("WAYBILL_TEST_BROKER", "amqp://guest:guest@127.0.0.1:5672//")


class Door:
    """Passes bytes between processes and the broker. `slam` cuts every connection at once."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                broker = socket.create_connection(self._target, timeout=5)
            except OSError:
                caller.close()
                continue
            broker.settimeout(None)
            with self._lock:
                self._open |= {caller, broker}
            for one, other in ((caller, broker), (broker, caller)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        self._cut(one, other)

    def _cut(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._open -= set(sockets)
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def slam(self) -> None:
        """Cuts every connection."""
        with self._lock:
            found = tuple(self._open)
        self._cut(*found)

    def close(self) -> None:
        self._listener.close()
        self.slam()


class Broker:
    """The broker of one run."""

    def __init__(self) -> None:
        parts = urlsplit(BROKER)
        self._door = Door(parts.hostname or "127.0.0.1", parts.port or 5672)
        login = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
        self.url = f"amqp://{login}@127.0.0.1:{self._door.port}{parts.path or '//'}"

    def wipe(self, queue: str) -> None:
        """Throws away every message that waits, and cuts every connection."""
        self._ask(lambda channel: channel.queue_purge(queue))
        self._door.slam()

    def forget(self, queue: str) -> None:
        """Deletes the queue."""
        self._ask(lambda channel: channel.queue_delete(queue))

    @staticmethod
    def _ask(what: object) -> None:
        with Connection(BROKER, connect_timeout=5) as connection:
            channel = connection.channel()
            with suppress(*connection.channel_errors):  # no process has made the queue yet
                what(channel)  # type: ignore[operator]

    def close(self) -> None:
        self._door.close()


@contextmanager
def broker() -> Iterator[Broker]:
    """The broker behind a door. ConnectionError when none answers."""
    try:
        with Connection(BROKER, connect_timeout=2) as connection:
            connection.connect()
    except (OSError, OperationalError) as error:
        raise ConnectionError(f"no RabbitMQ answers at {urlsplit(BROKER).hostname}") from error
    found = Broker()
    try:
        yield found
    finally:
        found.close()
