#!/usr/bin/env python3
"""Checks an exported history of Waybill: this file, the export and Python 3.9 or newer, nothing else.

    python offline_verifier.py FILE          (- is standard input)

Exit 0: every history in the file is whole. Exit 1: it is not, and a line each says which event and what is wrong with
it; or the file cannot be read. The format and every hash are described in docs/audit.md. `waybill audit verify` finds
faults by the same functions, so that both say the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Event = dict[str, Any]
"""One event as it is exported; one with nothing but a `seq` could not be read."""
Head = tuple[str, str, int, str]
"""Instance, business key, number of its last event, hash of its last event."""

FORMAT, VERSION = "waybill audit export", 1
GENESIS = "0" * 64
"""What the first event and the first seal follow."""
NEAR = 8
"""By how many numbers a moved event is looked for around the place where it stands."""
HASHED = ("actor", "kind", "process", "element", "name", "step", "body", "previous")
TEXT, NUMBER, TEXT_OR_NONE, NUMBER_OR_NONE = (str,), (int,), (str, type(None)), (int, type(None))
FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "header": {"format": TEXT, "version": NUMBER, "made_at": TEXT, "order": TEXT_OR_NONE},
    "seal": {"number": NUMBER, "at": TEXT, "root": TEXT, "previous": TEXT, "hash": TEXT},
    "instance": {"id": TEXT, "business_key": TEXT, "seq": NUMBER, "head": TEXT},
    "event": {"seq": NUMBER, "at": TEXT, "actor": TEXT, "kind": TEXT, "process": TEXT, "element": TEXT_OR_NONE,
              "name": TEXT_OR_NONE, "step": NUMBER_OR_NONE, "body": TEXT, "previous": TEXT, "hash": TEXT},
    "unreadable": {"seq": NUMBER},
    "end": {"seals": NUMBER, "instances": NUMBER, "events": NUMBER},
}
"""What stands in a line of each sort, beside the word that names the sort."""


# --- hashes -----------------------------------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """Canonical JSON: keys sorted, no white space, UTF-8, nothing escaped that JSON does not ask to be escaped."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def event_hash(instance: str, event: Event, seq: int) -> str | None:
    """The hash of an event of an instance as number `seq`; None when it holds what no event can hold."""
    try:
        return hashlib.sha256(
            canonical([instance, seq, event["at"], *(event[name] for name in HASHED)])
        ).hexdigest()
    except (KeyError, TypeError, ValueError):
        return None


def seal_hash(number: int, at: str, root: str, previous: str) -> str:
    """The hash of a seal."""
    return hashlib.sha256(canonical([number, at, root, previous])).hexdigest()


def leaf(head: Sequence[Any]) -> bytes:
    """One head in the tree of a seal."""
    return hashlib.sha256(b"\x00" + canonical(list(head))).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_levels(leaves: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The Merkle tree of RFC 6962 from its leaves up to its root."""
    level = leaves or [hashlib.sha256(b"").digest()]
    yield level
    while len(level) > 1:
        pairs = [_node(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
        level = pairs + list(level[len(pairs) * 2:])
        yield level


def tree_root(leaves: Sequence[bytes]) -> str:
    """The hash over all leaves, in hex."""
    *_, top = tree_levels(leaves)
    return top[0].hex()


def root_by_path(found: bytes, index: int, count: int, path: Sequence[str]) -> str | None:
    """The root that a leaf leads to by the hashes beside it; None when these are not as many as they must be."""
    beside = iter(path)
    while count > 1:
        if index ^ 1 < count:
            other = bytes.fromhex(next(beside, ""))
            found = _node(other, found) if index % 2 else _node(found, other)
        index, count = index // 2, (count + 1) // 2
    return found.hex() if next(beside, None) is None else None


# --- one history ------------------------------------------------------------------------------------------------------


def chain_faults(name: str, instance: str, events: Sequence[Event], seq: int, head: str) -> list[str]:
    """What is wrong with the history of one instance, a line for each row; empty when it is whole.

    `events` as they are stored, by number; `seq` and `head` are the number and hash that the instance ends with.
    """
    if is_whole(instance, events, seq, head):
        return []
    return [f"{name}: {fault}" for fault in _Diagnosis(instance, events, seq, head).faults()]


def is_whole(instance: str, events: Iterable[Event], seq: int, head: str) -> bool:
    """Whether a history holds what was written and nothing else; reads the events once, in order."""
    previous, number = GENESIS, 0
    for number, event in enumerate(events, start=1):
        if event["seq"] != number or event.get("previous") != previous:
            return False
        previous = event_hash(instance, event, number) or ""
        if previous != event["hash"]:
            return False
    return (number, previous) == (seq, head)


class _Diagnosis:
    """Finds which rows of a broken history are to blame, from its end to its beginning.

    The end is what the instance holds; each row that fits its hash says which hash came before it. So the rows that
    belong to the history are told from those that were put in, and a row from its neighbour.
    """

    def __init__(self, instance: str, events: Sequence[Event], seq: int, head: str) -> None:
        self.instance, self.events, self.seq, self.head = instance, events, seq, head
        self.numbers = self._numbers()
        self.fitting: dict[int, list[int]] = {}
        for index, number in self.numbers.items():
            self.fitting.setdefault(number, []).append(index)
        self.standing: dict[int, int] = {}
        self.hashes: dict[int, set[str]] = {}
        for index, event in enumerate(events):
            self.standing.setdefault(event["seq"], index)
            stands_for: Any = self.numbers.get(index, event["seq"])
            self.hashes.setdefault(stands_for, set()).add(event.get("hash", ""))
        self.said: list[tuple[int, str]] = []
        self.moved: dict[int, int] = {}
        self.explained: set[int] = set()
        self.behind = len(events)
        """The row of the event after the one that is judged: of two that are alike, its neighbour is the right one."""

    def _fits(self, index: int, number: int) -> bool:
        event = self.events[index]
        return number > 0 and "hash" in event and event_hash(self.instance, event, number) == event["hash"]

    def _numbers(self) -> dict[int, int]:
        """Row → the number it was written as: its own, else the one after the row it follows, else one nearby."""
        found: dict[int, int] = {}
        followers: dict[str, list[int]] = {}
        for index, event in enumerate(self.events):
            followers.setdefault(event.get("previous", ""), []).append(index)
            seq = event["seq"]
            near = (n for d in range(NEAR + 1) for n in {seq + d, seq - d}) if isinstance(seq, int) else ()
            for number in near:
                if self._fits(index, number):
                    found[index] = number
                    break
        todo = [(index, 1) for index in followers.get(GENESIS, ())]
        todo += [(i, n + 1) for index, n in found.items() for i in followers.get(self.events[index]["hash"], ())]
        while todo:
            index, number = todo.pop()
            if index not in found and self._fits(index, number):
                found[index] = number
                todo += [(i, number + 1) for i in followers.get(self.events[index]["hash"], ())]
        return found

    def faults(self) -> list[str]:
        """A line for each row to blame, or each run of them, by number."""
        unread = {e["seq"] for i, e in enumerate(self.events) if i not in self.numbers and isinstance(e["seq"], int)}
        wanted: str | None = self.head
        expected = self.seq
        for number in sorted({n for n in self.fitting.keys() | unread if 0 < n <= self.seq}, reverse=True):
            if number < expected:
                self._missing(number + 1, expected)
                wanted = None
            wanted = self._look_at(number, wanted)
            expected = number - 1
        if expected > 0:
            self._missing(1, expected)
        self._leftovers()
        self._say_moved()
        return [text for _, text in sorted(self.said)]

    def _look_at(self, number: int, wanted: str | None) -> str | None:
        """Judges what claims to be this event; returns the hash that the event before it must have, where known."""
        there = self.standing.get(number)
        for index in sorted(self.fitting.get(number, ()), key=lambda n: (n != there, abs(self.behind - 1 - n))):
            previous: str | None = self.events[index]["previous"]
            if wanted is None or self.events[index]["hash"] == wanted:
                self.explained.add(index)
                self.behind = index
                if index != there:
                    self.moved[index] = number
                if number == 1 and previous != GENESIS:
                    self._say(number, "does not begin a history; the row was written anew with a hash of its own.")
                return previous
        if there is None or self.numbers.get(there, number) != number:
            self._missing(number, number)
            return None
        self.explained.add(there)
        self.behind = there
        self._say(number, self._blame(there, number))
        previous = self.events[there].get("previous")
        return previous if previous in self.hashes.get(number - 1, ()) else None

    def _blame(self, index: int, number: int) -> str:
        """Why the row that stands as this event is not the one that was written."""
        if "hash" not in self.events[index]:
            return "cannot be read; the row was changed."
        if index not in self.numbers:
            return "its content does not match its hash; the row was changed."
        anew = "the row was written anew with a hash of its own"
        if number == self.seq:
            return f"the order says that its history ends with another hash; {anew}, or the order's row was changed."
        return f"event {number + 1} follows another one; {anew}."

    def _leftovers(self) -> None:
        """Rows that belong nowhere."""
        for index, event in enumerate(self.events):
            if index in self.explained:
                continue
            number, seq = self.numbers.get(index), event["seq"]
            if isinstance(seq, int) and seq > self.seq:
                why = f"stands after the end of the history, which is event {self.seq}"
            elif number is not None and number != seq:
                why = f"is a copy of event {number}"
            else:
                why = "does not belong to the history"
            self._say(seq, f"{why}; the row was inserted.")

    def _say(self, seq: Any, what: str) -> None:
        self.said.append((seq if isinstance(seq, int) else 0, f"event {seq}: {what}"))

    def _missing(self, first: int, last: int) -> None:
        if first == last:
            self.said.append((first, f"event {first}: is missing; the row was removed."))
        else:
            self.said.append((first, f"events {first} to {last}: are missing; the rows were removed."))

    def _say_moved(self) -> None:
        """Rows that stand elsewhere; a run of neighbours that moved together is one line."""
        runs: list[list[int]] = []
        for index in sorted(self.moved):
            seq, number = self.events[index]["seq"], self.moved[index]
            if not isinstance(seq, int):
                self._say(seq, f"was written as event {number}; the row was moved.")
            elif runs and runs[-1][1] == seq - 1 and runs[-1][1] - runs[-1][3] == seq - number:
                runs[-1][1], runs[-1][3] = seq, number
            else:
                runs.append([seq, seq, number, number])
        for first, last, was_first, was_last in runs:
            if first == last:
                self.said.append((first, f"event {first}: was written as event {was_first}; the row was moved."))
            else:
                self.said.append((first, f"events {first} to {last}: were written as events {was_first} to "
                                         f"{was_last}; the rows were moved."))


# --- seals ------------------------------------------------------------------------------------------------------------


def seal_fault(seal: dict[str, Any], number: int, previous: str) -> str | None:
    """What is wrong with a seal that must have this number and follow the seal with this hash."""
    if seal["number"] != number:
        return f"seal {number}: is missing; the row was removed."
    if seal_hash(seal["number"], seal["at"], seal["root"], seal["previous"]) != seal["hash"]:
        return f"seal {number}: its content does not match its hash; the row was changed."
    if seal["previous"] != previous:
        return f"seal {number}: does not follow seal {number - 1}; one of the two was written anew."
    return None


def heads_fault(seal: dict[str, Any], leaves: Sequence[bytes]) -> str | None:
    """What is wrong with the heads that stand in a seal."""
    if tree_root(leaves) != seal["root"]:
        return f"seal {seal['number']}: its heads do not match its root; the row was changed."
    return None


def sealed_fault(number: int, at: str, head: Sequence[Any], name: str | None, found: str | None) -> str | None:
    """What a seal shows about one history: `name` and the event's hash as they are now, None where nothing is."""
    _, key, seq, wanted = head
    held = f"seal {number} of {at} holds"
    if name is None:
        return f"{key}: the whole order is missing; {held} {seq} events of it."
    if found is None:
        return f"{key}: event {seq}: is missing; {held} it."
    if found != wanted:
        return f"{key}: event {seq}: {held} another one; the history was written anew up to here or further."
    if name != key:
        return f"{name}: the order was called {key}; {held} it so."
    return None


# --- a file -----------------------------------------------------------------------------------------------------------


class FileCheck:
    """Goes through the lines of one export. `counts` says how much was checked."""

    def __init__(self) -> None:
        self.counts = {"seal": 0, "instance": 0, "event": 0}
        self._order: str | None = None
        self._line = 0
        self._ended = False
        self._previous = GENESIS
        self._sealed: dict[str, list[tuple[int, str, list[Any]]]] = {}
        self._current: dict[str, Any] | None = None
        self._seen: set[str] = set()
        self._events: list[Event] = []

    @property
    def orders(self) -> int:
        """How many orders there are; the journal of the house is none."""
        return self.counts["instance"] - ("journal" in self._seen)

    def faults(self, lines: Iterable[bytes]) -> Iterator[str]:
        """What is wrong, a line each."""
        for self._line, raw in enumerate(lines, start=1):
            row = _read(raw)
            if isinstance(row, str):
                yield f"line {self._line}: {row}"
                continue
            if self._ended or (self._line == 1) != (row["line"] == "header"):
                yield f"line {self._line}: a {row['line']} does not belong here."
                continue
            yield from getattr(self, f"_{row['line']}")(row)
        if not self._ended:
            yield from self._close()
            yield f"line {self._line}: the file ends too early; its last line is not the end."

    def _header(self, row: dict[str, Any]) -> Iterator[str]:
        self._order = row["order"]
        if (row["format"], row["version"]) != (FORMAT, VERSION):
            yield f"line 1: {row['format']} {row['version']} is not a format this program knows."

    def _seal(self, row: dict[str, Any]) -> Iterator[str]:
        self.counts["seal"] += 1
        number = self.counts["seal"]
        if self._current is not None:
            yield f"seal {row['number']}: does not belong here; seals stand before the orders."
        fault = seal_fault(row, number, self._previous) or self._heads(row)
        if fault:
            yield fault
        self.counts["seal"], self._previous = row["number"], row["hash"]

    def _heads(self, row: dict[str, Any]) -> str | None:
        """Notes what the seal holds of the orders in this file."""
        try:
            if "heads" in row:
                heads = [_head(each) for each in row["heads"]]
                fault = heads_fault(row, [leaf(head) for head in heads])
            else:
                proof = row["proof"]
                heads = [_head(proof["head"])] if proof else []
                fault = None
                if proof and root_by_path(leaf(heads[0]), proof["index"], proof["count"], proof["path"]) != row["root"]:
                    fault = f"seal {row['number']}: its proof does not lead to its root; one of them was changed."
        except (KeyError, TypeError, ValueError):
            return f"seal {row['number']}: what it says of its heads cannot be read; the line was changed."
        for head in heads:
            self._sealed.setdefault(head[0], []).append((row["number"], row["at"], head))
        return fault

    def _instance(self, row: dict[str, Any]) -> Iterator[str]:
        yield from self._close()
        self.counts["instance"] += 1
        if row["id"] in self._seen:
            yield f"{row['business_key']}: stands in the file twice."
        if self._order not in (None, row["business_key"]):
            yield f"{row['business_key']}: does not belong to the export of {self._order}."
        self._seen.add(row["id"])
        self._current, self._events = row, []

    def _event(self, row: dict[str, Any]) -> Iterator[str]:
        self.counts["event"] += 1
        if self._current is None:
            yield f"line {self._line}: event {row['seq']} belongs to no order."
        elif self._events and row["seq"] <= self._events[-1]["seq"]:
            yield f"{self._current['business_key']}: event {row['seq']}: stands after event {self._events[-1]['seq']}."
        self._events.append(row)

    _unreadable = _event

    def _close(self) -> Iterator[str]:
        """Judges the order whose events have all been read."""
        if self._current is None:
            return
        name, instance = self._current["business_key"], self._current["id"]
        yield from chain_faults(name, instance, self._events, self._current["seq"], self._current["head"])
        hashes = {event["seq"]: event.get("hash") for event in self._events}
        for number, at, head in self._sealed.pop(instance, ()):
            fault = sealed_fault(number, at, head, name, hashes.get(head[2]))
            if fault:
                yield fault

    def _end(self, row: dict[str, Any]) -> Iterator[str]:
        yield from self._close()
        for held in self._sealed.values():
            number, at, head = held[-1]
            yield str(sealed_fault(number, at, head, None, None))
        for sort, count in self.counts.items():
            if row[f"{sort}s"] != count:
                yield f"line {self._line}: the file says {row[f'{sort}s']} {sort}s and has {count}."
        self._ended = True


def _read(raw: bytes) -> dict[str, Any] | str:
    """One line as it was written, or what is wrong with it."""
    try:
        row: Any = json.loads(raw)
        written = canonical(row) + b"\n"
    except (ValueError, RecursionError):
        return "is not JSON; it was changed."
    if written != raw:
        return "is not written as Waybill writes it; it was changed."
    sort = row.get("line") if isinstance(row, dict) else None
    if not isinstance(sort, str) or sort not in FIELDS:
        return "is of no sort that belongs into this file."
    for name, types in FIELDS[sort].items():
        if type(row.get(name, ...)) not in types:  # not isinstance: true would pass for 1
            return f"{sort}: {name} is missing or holds what it cannot hold; it was changed."
    return dict(row)


def _head(value: Any) -> list[Any]:
    instance, key, seq, wanted = value
    if [type(each) for each in (instance, key, seq, wanted)] != [str, str, int, str]:
        raise ValueError(value)
    return [instance, key, seq, wanted]


def main(arguments: Sequence[str]) -> int:
    """Checks the file that is named; 0 or 1."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        sys.stderr.write(__doc__ or "")
        return 1
    check, found = FileCheck(), 0
    try:
        with (sys.stdin.buffer if arguments[0] == "-" else Path(arguments[0]).open("rb")) as lines:
            for fault in check.faults(lines):
                found += 1
                sys.stdout.write(fault + "\n")
    except OSError as error:
        sys.stderr.write(f"{arguments[0]} cannot be read: {error.strerror}.\n")
        return 1
    counts = check.counts
    sys.stdout.write(f"{check.orders} orders, {counts['event']} events, {counts['seal']} seals checked: "
                     + (f"{found} faults.\n" if found else "every history is whole.\n"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
