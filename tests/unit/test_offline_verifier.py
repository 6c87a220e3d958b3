"""The program that checks an exported file: it finds every changed byte, and needs nothing of ours."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audit import chain_hash, stamp
from engine.offline_verifier import (
    FORMAT,
    GENESIS,
    VERSION,
    FileCheck,
    canonical,
    event_hash,
    leaf,
    root_by_path,
    seal_hash,
    tree_levels,
    tree_root,
)
from settings import ROOT

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = ("Greta \"die Große\"\n", "Łódź \x7f\u2028", "", "日本 🚚")


def history(instance: str, length: int) -> list[dict[str, Any]]:
    """Events with all that makes trouble in JSON."""
    events: list[dict[str, Any]] = []
    for seq in range(1, length + 1):
        event: dict[str, Any] = {
            "seq": seq, "at": f"2026-11-23T08:00:{seq:02d}.000001+00:00", "actor": NAMES[seq % 4], "kind": "completed",
            "process": "order_fulfillment", "element": None if seq % 3 else "pay", "name": NAMES[(seq + 1) % 4],
            "step": seq % 20 or None, "body": canonical({"detail": {"reason": NAMES[seq % 3]}}).decode(),
            "previous": events[-1]["hash"] if events else GENESIS,
        }
        event["hash"] = event_hash(instance, event, seq)
        events.append(event)
    return events


def export() -> list[bytes]:
    """A file with two orders and two seals."""
    orders = [("0a", "WB-1", history("0a", 4)), ("0b", "WB-2", history("0b", 3))]
    heads = [[[i, key, len(events) - 1, events[-2]["hash"]] for i, key, events in orders],
             [[i, key, len(events), events[-1]["hash"]] for i, key, events in orders]]
    lines: list[dict[str, Any]] = [
        {"line": "header", "format": FORMAT, "version": VERSION, "made_at": "2026-11-24", "order": None}
    ]
    previous = GENESIS
    for number, held in enumerate(heads, start=1):
        root, at = tree_root([leaf(head) for head in held]), f"2026-11-2{number}T00:00:00.000000+00:00"
        own = seal_hash(number, at, root, previous)
        lines.append({"line": "seal", "number": number, "at": at, "root": root, "previous": previous, "hash": own,
                      "heads": held})
        previous = own
    for instance, key, events in orders:
        lines.append({"line": "instance", "id": instance, "business_key": key, "seq": len(events),
                      "head": events[-1]["hash"]})
        lines += [{"line": "event", **event} for event in events]
    lines.append({"line": "end", "seals": 2, "instances": 2, "events": 7})
    return [canonical(line) + b"\n" for line in lines]


def faults(lines: list[bytes]) -> list[str]:
    return list(FileCheck().faults(lines))


WHOLE = export()


def test_a_whole_file_has_no_fault() -> None:
    """And what was checked is counted."""
    check = FileCheck()
    assert list(check.faults(WHOLE)) == []
    assert check.counts == {"seal": 2, "instance": 2, "event": 7}


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    """Of any line but the first, which says only what the file is: also where the meaning stays the same."""
    number = data.draw(st.integers(1, len(WHOLE) - 1))
    line = WHOLE[number]
    at, byte = data.draw(st.integers(0, len(line) - 2)), data.draw(st.integers(0, 255).filter(lambda b: b != 10))
    if line[at] == byte:
        return

    changed = [*WHOLE[:number], line[:at] + bytes([byte]) + line[at + 1:], *WHOLE[number + 1:]]

    assert faults(changed)


@given(st.data())
def test_a_changed_value_names_its_event(data: st.DataObject) -> None:
    """Whatever was put there: that order, that event, that line only."""
    number = data.draw(st.sampled_from([n for n, line in enumerate(WHOLE) if b'"line":"event"' in line]))
    row = json.loads(WHOLE[number])
    name = data.draw(st.sampled_from(sorted(row.keys() - {"line", "seq", "hash"})))
    value = data.draw(st.integers() if name == "step" else ANY_TEXT)
    if value == row[name]:
        return

    found = faults([*WHOLE[:number], canonical({**row, name: value}) + b"\n", *WHOLE[number + 1:]])

    order = "WB-1" if number < 8 else "WB-2"
    assert found == [f"{order}: event {row['seq']}: its content does not match its hash; the row was changed."]


@pytest.mark.parametrize("number", range(1, len(WHOLE)))
def test_a_removed_line_is_found(number: int) -> None:
    """Of any sort."""
    assert faults([*WHOLE[:number], *WHOLE[number + 1:]])


@pytest.mark.parametrize("number", range(1, len(WHOLE) - 1))
def test_swapped_and_doubled_lines_are_found(number: int) -> None:
    """Wherever."""
    doubled = [*WHOLE[:number], WHOLE[number], *WHOLE[number:]]
    swapped = [*WHOLE[:number], WHOLE[number + 1], WHOLE[number], *WHOLE[number + 2:]]
    assert faults(doubled)
    assert faults(swapped)


def test_an_order_left_out_is_named() -> None:
    """The seals hold it; whoever leaves it out corrects the count at the end."""
    end = canonical({"line": "end", "seals": 2, "instances": 1, "events": 4}) + b"\n"

    assert faults([*WHOLE[:8], end]) == [
        "WB-2: the whole order is missing; seal 2 of 2026-11-22T00:00:00.000000+00:00 holds 3 events of it."
    ]


def test_true_is_no_number() -> None:
    """In Python it is; in the file it would hash otherwise."""
    line = WHOLE[4].replace(b'"seq":1', b'"seq":true')
    assert line != WHOLE[4]
    assert faults([*WHOLE[:4], line, *WHOLE[5:]])[0].startswith("line 5: event: seq is missing")


@given(instance=ANY_TEXT, seq=st.integers(1, 2**31), actor=ANY_TEXT, name=st.none() | ANY_TEXT, body=ANY_TEXT,
       step=st.none() | st.integers(-(2**31), 2**31), at=st.datetimes(timezones=st.just(UTC)))
def test_the_hash_is_the_engines(
    instance: str, seq: int, actor: str, name: str | None, body: str, step: int | None, at: datetime
) -> None:
    """Two programs that write JSON, one result for whatever people type."""
    row = {"seq": seq, "at": at, "actor": actor, "kind": "k", "process": "p", "element": None, "name": name,
           "step": step, "body": body.encode(), "previous": GENESIS}

    exported = {**row, "at": stamp(at), "body": body}

    assert event_hash(instance, exported, seq) == chain_hash(instance, row)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.data())
def test_a_proof_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """From its own leaf and place, and from no other leaf."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, at = [], index
    for level in tree_levels(leaves):
        if at ^ 1 < len(level):
            path.append(level[at ^ 1].hex())
        at //= 2

    assert root_by_path(leaves[index], index, len(leaves), path) == tree_root(leaves)
    assert root_by_path(bytes(31) + b"x", index, len(leaves), path) != tree_root(leaves)
    assert root_by_path(leaves[index], index, len(leaves), [*path, "00" * 32]) is None


def test_the_examples_of_the_description_are_right() -> None:
    """docs/audit.md is enough to write another verifier: its examples hash to what it says."""
    text = (ROOT / "docs" / "audit.md").read_text()
    examples = re.findall(r"```json\n(\[.*?\])\n```\n\n.*?`([0-9a-f]{64})`", text, flags=re.DOTALL)
    assert len(examples) == 2
    for example, wanted in examples:
        import hashlib

        assert hashlib.sha256(example.encode()).hexdigest() == wanted
        assert canonical(json.loads(example)).decode() == example
    event, seal = (json.loads(example) for example, _ in examples)
    names = ("seq", "at", "actor", "kind", "process", "element", "name", "step", "body", "previous")
    assert event_hash(event[0], dict(zip(names, event[1:], strict=True)), event[1]) == examples[0][1]
    assert seal_hash(*seal) == examples[1][1]
