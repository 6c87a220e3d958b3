"""The processes of one installation: started, killed, paused, and started again at once when they have died."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.crash.config import VARIABLE, Run
from tests.crash.process import live

_NURSERY = multiprocessing.get_context("forkserver")
"""Processes are forks of one that has imported everything and done nothing: a run starts hundreds of them."""
_NURSERY.set_forkserver_preload(["tests.crash.process", "tests.crash.counterparties", "cli.serve", "cli.dispatch"])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@dataclass
class Resident:
    """One process and its successors."""

    role: str
    name: str
    variables: Mapping[str, str]
    process: ForkServerProcess | None = None
    wakes_at: float = 0.0
    """When a paused process goes on; 0: it is not paused."""


@dataclass
class House:
    """All processes of a run. Every death that nobody ordered is noted."""

    run: Run
    variables: Mapping[str, str]
    residents: list[Resident] = field(default_factory=list)
    fell: list[str] = field(default_factory=list)
    """Processes that ended without being killed."""

    def settle(self, *, workers: int) -> None:
        """Starts everybody."""
        self.residents = [
            Resident("counterparties", "counterparties", {}),
            *(Resident("web", f"web-{n}", {"PORT": str(port)}) for n, port in enumerate(self.run.webs)),
            *(Resident("worker", f"worker-{n}", {}) for n in range(workers)),
        ]
        for resident in self.residents:
            self._start(resident)

    def _start(self, resident: Resident) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("WAYBILL_") and name != "PORT"}
        own = {VARIABLE: self.run.dump(), "WAYBILL_VAR": str(self.run.var), **self.variables, **resident.variables}
        resident.process = _NURSERY.Process(
            target=live, args=(resident.role, kept | own, self._log(resident)), daemon=True)
        resident.process.start()
        resident.wakes_at = 0.0

    def _log(self, resident: Resident) -> Path:
        return Path(self.run.folder) / f"{resident.name}.log"

    def mend(self) -> None:
        """Starts who has died, and wakes whose pause has ended."""
        for resident in self.residents:
            process = resident.process
            if process is None:
                continue
            if not process.is_alive():
                self._kill_group(process)
                if process.exitcode != -signal.SIGKILL:
                    self.fell.append(f"processes: {resident.name} ended by itself ({process.exitcode}): "
                                     f"{self._last_words(resident)}")
                self._start(resident)
            elif resident.wakes_at and time.monotonic() >= resident.wakes_at:
                resident.wakes_at = 0.0
                self._signal(process, signal.SIGCONT)

    def kill(self, resident: Resident) -> None:
        """Kills it, and whatever processes it has started: -9."""
        if resident.process is not None:
            self._signal(resident.process, signal.SIGKILL)
            resident.process.join()

    def pause(self, resident: Resident, seconds: float) -> None:
        """Stops it where it stands."""
        if resident.process is not None and not resident.wakes_at:
            self._signal(resident.process, signal.SIGSTOP)
            resident.wakes_at = time.monotonic() + seconds

    def of(self, *roles: str) -> list[Resident]:
        return [resident for resident in self.residents if resident.role in roles]

    def close(self) -> None:
        """Asks web and workers to end, as an operator does; whoever does not is noted. Leaves no process behind."""
        for resident in self.residents:
            if resident.process is not None:
                self._signal(resident.process, signal.SIGCONT)
                self._signal(resident.process, signal.SIGTERM)
        for resident in self.residents:
            process, resident.process = resident.process, None
            if process is None:
                continue
            process.join(40)
            if process.is_alive():
                self.fell.append(f"processes: {resident.name} did not end when asked to: {self._last_words(resident)}")
            elif resident.role != "counterparties" and process.exitcode:
                self.fell.append(f"processes: {resident.name} ended with {process.exitcode} when it was asked to: "
                                 f"{self._last_words(resident)}")
            self._kill_group(process)
            process.join()

    def _last_words(self, resident: Resident) -> str:
        lines = self._log(resident).read_text(errors="replace").splitlines()
        return " | ".join(line for line in lines[-12:] if line.strip())[-1500:]

    @staticmethod
    def _signal(process: ForkServerProcess, number: signal.Signals) -> None:
        """To the process and whatever it has started."""
        assert process.pid is not None
        with suppress(ProcessLookupError):  # it has died meanwhile, or has not got so far as to have a group
            os.kill(process.pid, number)
            if number != signal.SIGTERM:
                os.killpg(process.pid, number)

    @staticmethod
    def _kill_group(process: ForkServerProcess) -> None:
        """What a dead process has left: the children of a worker that had some."""
        assert process.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
