"""The web server: waitress, and how it ends: whoever has been let in is answered first."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

THREADS = 8
MAX_REQUEST = 16 * 1024 * 1024
"""Bytes of a request that the server reads at all; the pages and calls allow less."""
FINISH_SECONDS = 20.0
"""How long requests that are under way may take after the server was asked to end."""
_LOOK_SECONDS = 0.05


class WebServer:
    """Has its port from the start; `run` serves until SIGTERM or SIGINT."""

    def __init__(self, app: Flask, *, host: str, port: int) -> None:
        """ValueError for a host that is none, OSError for a port that cannot be had."""
        self._server = create_server(app, host=host, port=port, threads=THREADS, ident="waybill", channel_timeout=60,
                                     max_request_body_size=MAX_REQUEST)
        several = isinstance(self._server, MultiSocketServer)  # a name of several addresses, such as localhost
        self._map: dict[int, Any] = self._server.map if several else self._server._map
        self._asked = False

    def run(self) -> None:
        """Serves until a signal asks it to end, then answers who was let in by then.

        The signal raises nothing: in the middle of the server's loop that could lose a request that was just read.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._asked:
            self._turn(timeout=1)
        self._finish()

    def close(self) -> None:
        """Closes what is still open, when nobody uses it any more."""
        dispatcher = self._server.task_dispatcher
        dispatcher.shutdown(timeout=1)
        if dispatcher.threads:
            return  # they would write to sockets that are no longer there; the process ends anyway
        for socket in list(self._map.values()):
            socket.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut short what is being finished
        self._asked = True
        for listener in self._listeners():
            listener.pull_trigger()

    def _turn(self, *, timeout: float) -> None:
        """Waits for the sockets once, and reads and writes what can be."""
        self._server.asyncore.loop(timeout=timeout, map=self._map, use_poll=True, count=1)

    def _finish(self) -> None:
        for listener in self._listeners():
            self._close_door(listener)
        limit = time.monotonic() + FINISH_SECONDS
        self._turn(timeout=_LOOK_SECONDS)  # reads what those have sent who came last
        while self._busy() and time.monotonic() < limit:
            self._turn(timeout=_LOOK_SECONDS)

    def _close_door(self, listener: BaseWSGIServer) -> None:
        """Lets in who stands at the door, and nobody after; the socket that wakes the loop stays."""
        waiting = True
        while waiting:
            inside = len(self._map)
            listener.handle_accept()
            waiting = len(self._map) > inside
        listener.accepting = False
        listener.del_channel()
        listener.socket.close()

    def _listeners(self) -> list[BaseWSGIServer]:
        return [socket for socket in list(self._map.values()) if isinstance(socket, BaseWSGIServer)]

    def _busy(self) -> bool:
        """Whether a request is being read, worked on or answered."""
        channels = [socket for socket in self._map.values() if isinstance(socket, HTTPChannel)]
        return any(channel.request or channel.requests or channel.total_outbufs_len for channel in channels)
