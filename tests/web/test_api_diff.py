"""The comparison of versions as programs and the command line give it."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from cli.processes import processes
from engine.definitions import Bundle
from engine.views import Actor
from tests.gift_wrap import REASON, with_gift_wrap
from tests.web.api_world import World

PATH = "/processes/order_fulfillment/diff"


def test_a_program_reads_what_changed(world: World) -> None:
    """By default the newest version against the one it builds on; each way round; in words and by element."""
    bundle = Bundle(with_gift_wrap(world.engine.bundle("order_fulfillment", 1).files))
    world.engine.propose(bundle, Actor("analyst"), reason=REASON, base_version=1, key="order_fulfillment")
    sales = world.of("sales")

    found = sales.get(PATH).json

    assert (found["from"], found["to"], found["is_empty"]) == (1, 2, False)
    main = next(diagram for diagram in found["diagrams"] if diagram["process"] == "order_fulfillment")
    wrap = next(change for change in main["changes"] if change["element"] == "gift_wrap")
    assert (wrap["kind"], wrap["name"], wrap["type"]) == ("added", "Gift wrap", "user task")
    assert {"what": "team", "was": None, "now": "Warehouse"} in wrap["details"]
    assert main["marks"]["package_products"] == "changed"
    assert main["marks"]["pickup_late"] == "removed"
    assert {form["file"]: form["kind"] for form in found["forms"]} == {
        "forms/gift_wrap.json": "added", "forms/package_products.json": "changed",
    }  # fmt: skip
    assert found["decisions"][0]["used_by"][0]["name"] == "Recommend courier"
    assert found["steps"]["words"] == "as before"
    back = sales.get(PATH, **{"from": 2, "to": 1}).json
    assert next(c for c in back["diagrams"][0]["changes"] if c["element"] == "gift_wrap")["kind"] == "removed"
    assert sales.get(PATH, **{"from": 2, "to": 2}).json["is_empty"]


def test_what_is_not_there_is_named(world: World) -> None:
    """A version, a process, a parameter."""
    sales = world.of("sales")

    assert sales.get(PATH, to=7).json["detail"] == "There is no version 7 of order_fulfillment."
    assert sales.get("/processes/nothing/diff").status_code == 404
    assert sales.get(PATH, **{"from": "one"}).json["errors"][0]["field"] == "/from"
    assert world.of(None).get(PATH).status_code == 401


def test_the_command_line_says_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Element by element, and whether steps and gates are as before."""
    bundle = Bundle(with_gift_wrap(world.engine.bundle("order_fulfillment", 1).files))
    world.engine.propose(bundle, Actor("analyst"), reason=REASON, base_version=1, key="order_fulfillment")
    parts = SimpleNamespace(engine=world.engine)
    monkeypatch.setattr("cli.comparing.installation", lambda: nullcontext(parts))

    said = CliRunner().invoke(processes, ["diff", "order_fulfillment", "1", "2"]).output

    assert "  + Gift wrap, user task\n" in said
    assert "      due: 8 h -> 6 h\n" in said
    assert said.endswith("Steps and gates: 20 and 2, as before.\n")
    nothing = CliRunner().invoke(processes, ["diff", "order_fulfillment", "1", "1"]).output
    assert nothing.startswith("Nothing changes but the writing.")
