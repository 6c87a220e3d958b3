"""What the files in deploy/ tell a machine to run is what Waybill has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT
from tests.unit.test_docs import VARIABLES, exists

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("file", sorted(path for path in DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_variable_is_a_setting(file: Path) -> None:
    """A variable that nothing reads would be a promise that nobody keeps."""
    named = set(re.findall(r"\b(WAYBILL_[A-Z_]+|PORT)\b", file.read_text()))

    assert named <= VARIABLES


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_is_there(unit: Path) -> None:
    """Stopped by SIGTERM, it has time to finish; a database that is away for long does not end it."""
    text = unit.read_text()
    [command] = re.findall(r"^ExecStart=/opt/waybill/.venv/bin/waybill (.+)$", text, flags=re.MULTILINE)

    assert exists(tuple(command.split()))
    assert {"Restart=always", "StartLimitIntervalSec=0", "TimeoutStopSec=40"} <= set(text.splitlines())


def test_the_containers_run_commands_that_are_there() -> None:
    """PostgreSQL, RabbitMQ, two web and three worker processes, after the tables are up to date."""
    ours = {name: service for name, service in COMPOSE.items() if service["image"] == "waybill"}

    assert all(exists(tuple(service["command"][1:])) for service in ours.values())
    assert {name: service.get("deploy", {}).get("replicas") for name, service in COMPOSE.items()} == {
        "database": None, "broker": None, "upgrade": None, "web": 2, "worker": 3,
    }
    assert (DEPLOY / "../" / ours["upgrade"]["build"]["dockerfile"]).is_file()
