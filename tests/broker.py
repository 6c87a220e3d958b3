"""The message broker as tests have it: a real RabbitMQ, reached over a line that a test can cut."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from kombu import Connection, Queue

BROKER = os.environ.get("WAYBILL_TEST_BROKER", "amqp://guest:guest@127.0.0.1:5672//")
_HOST, _PORT = urlsplit(BROKER).hostname or "127.0.0.1", urlsplit(BROKER).port or 5672
NO_BROKER = f"no RabbitMQ answers at {_HOST}:{_PORT}: start one or set WAYBILL_TEST_BROKER"


def require_broker() -> None:
    """Skips the test when there is none."""
    connection = Connection(BROKER, connect_timeout=3)
    try:
        connection.connect()
    except (OSError, *connection.connection_errors):
        pytest.skip(NO_BROKER)
    finally:
        connection.release()


def wipe(queue: str) -> None:
    """Deletes a queue with everything in it, as a broker does that has lost its disk."""
    with Connection(BROKER, connect_timeout=3) as connection:
        Queue(queue, channel=connection.channel()).delete()


class BrokerLine:
    """A way to the broker that leads through the test: cut, it is as if the broker had stopped."""

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server: socket.socket | None = None
        self.port = 0
        self.join()

    @property
    def url(self) -> str:
        """The broker's address over this line."""
        parts = urlsplit(BROKER)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}").geturl()

    def join(self) -> None:
        """The broker can be reached, at the same address as before."""
        server = socket.create_server(("127.0.0.1", self.port))
        self._server, self.port = server, server.getsockname()[1]
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks, and new ones are refused."""
        if self._server is not None:
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
            self._server.close()
            self._server = None
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _close(end)

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
                far = socket.create_connection((_HOST, _PORT), timeout=5)
                far.settimeout(None)
            except OSError:
                return
            with self._lock:
                self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _close(source)
    _close(target)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
