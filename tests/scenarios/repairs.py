"""A repair shop: a process small enough to be modelled whole, with everything that the engine can wait for.

    note → fork → charge (declined → settle → charge) ─────────────→ join → sign → closed, rejected or back to note
                → wait for the part (a day without it → chase) ────↗
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from engine import Bundle
from engine.views import Actor
from handlers.contract import Call, External, GiveUp, Refused, Registry, TryAgain, build_registry
from tests.unit.lint_bundle import definitions, flow, properties, service

DESK = Actor("desk", frozenset({"desk"}))
SIGNER = Actor("ann", frozenset({"signers"}))
RECORDED = "recorded_repairs"
"""Where `record` writes, in the transaction of its command."""

_PARAMETERS = '<spiffworkflow:parameter id="amount" type="int" value="note.amount"/>'
_REPAIR = definitions(
    f"""<bpmn:message id="message_part" name="part.came"/>
<bpmn:error id="error_declined" name="declined" errorCode="declined"/>
<bpmn:process id="repair" name="Repair" isExecutable="true">{properties(cancellation="repair_undo")}
<bpmn:startEvent id="begun"/>
<bpmn:userTask id="note" name="Note">{properties(step="1", team="desk", due="PT8H",
                                                 formJsonSchemaFilename="note.json")}</bpmn:userTask>
<bpmn:parallelGateway id="fork"/>
{service("charge", "repair.charge", "charged", _PARAMETERS)}
<bpmn:boundaryEvent id="declined" attachedToRef="charge"><bpmn:errorEventDefinition errorRef="error_declined"/>
</bpmn:boundaryEvent>
<bpmn:userTask id="settle" name="Settle">{properties(team="desk", due="PT8H",
                                                     formJsonSchemaFilename="settle.json")}</bpmn:userTask>
<bpmn:receiveTask id="wait" name="Wait" messageRef="message_part"/>
<bpmn:boundaryEvent id="late" attachedToRef="wait"><bpmn:timerEventDefinition id="late_def">
  <bpmn:timeDuration>"P1D"</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent>
<bpmn:userTask id="chase" name="Chase">{properties(team="desk", due="PT8H",
                                                   formJsonSchemaFilename="chase.json")}</bpmn:userTask>
<bpmn:exclusiveGateway id="there"/>
<bpmn:parallelGateway id="join"/>
<bpmn:userTask id="sign" name="Sign">{properties(step="2", team="signers", due="P1D", kind="approval", submits="1",
                                                 sendBackTo="1", submission="repair.submission")}</bpmn:userTask>
<bpmn:exclusiveGateway id="signed" default="signed__closed"/>
<bpmn:endEvent id="closed"/>
<bpmn:endEvent id="rejected">{properties(cancels="true")}</bpmn:endEvent>
{flow("begun", "note")}{flow("note", "fork")}{flow("fork", "charge")}{flow("fork", "wait")}
{flow("declined", "settle")}{flow("settle", "charge")}{flow("charge", "join")}
{flow("wait", "there")}{flow("late", "chase")}{flow("chase", "there")}{flow("there", "join")}
{flow("join", "sign")}{flow("sign", "signed")}{flow("signed", "closed")}
{flow("signed", "rejected", 'sign.decision == "reject"')}{flow("signed", "note", 'sign.decision == "send_back"')}
</bpmn:process>"""
)
_UNDO = definitions(
    f"""<bpmn:process id="repair_undo" isExecutable="true"><bpmn:startEvent id="undo_begun"/>
{service("pay_back", "repair.pay_back", "paid_back")}
<bpmn:endEvent id="undone"/>{flow("undo_begun", "pay_back")}{flow("pay_back", "undone")}</bpmn:process>"""
)


def _form(title: str, **fields: Mapping[str, Any]) -> bytes:
    return json.dumps({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "title": title,
        "additionalProperties": False, "required": list(fields), "properties": fields,
    }).encode()


def bundle() -> Bundle:
    """Both diagrams and their forms."""
    tick = {"type": "boolean", "title": "Done"}
    return Bundle({
        "processes/repair.bpmn": _REPAIR.encode(), "processes/repair_undo.bpmn": _UNDO.encode(),
        "forms/note.json": _form("Note", amount={"type": "integer", "title": "Amount", "minimum": 1}),
        "forms/settle.json": _form("Settle", done=tick), "forms/chase.json": _form("Chase", done=tick),
    })


@dataclass
class Outside:
    """The other side: what it was asked, and how it answers next."""

    answers: str = "ok"
    """`ok`, `declined`, `lost` (the reply), `broken` or `hopeless`."""
    asked: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    """Key → the arguments of every request under it."""


@dataclass(frozen=True, slots=True)
class Charge:
    order: str
    amount: int


@dataclass(frozen=True, slots=True)
class Done:
    reference: str


class _Asks(External):
    """Asks the other side, and writes down each answer once."""

    def __init__(self, ports: Outside) -> None:
        self._outside = ports

    def prepare(self, call: Call, amount: int) -> Charge:
        return Charge(call.order, amount)

    def perform(self, arguments: Charge, key: str) -> Done:
        self._outside.asked[key].append(arguments)
        match self._outside.answers:
            case "declined":
                raise Refused("declined", "Declined.")
            case "lost":
                raise TryAgain("The reply was lost.")
            case "hopeless":
                raise GiveUp("This will never work.")
            case "broken":
                raise RuntimeError("Nobody foresaw this.")
        return Done(f"done {key}")

    def record(self, call: Call, arguments: Charge, result: Done) -> dict[str, Any]:
        self._write(call)
        return {"reference": result.reference}

    def refused(self, call: Call, arguments: Charge, refusal: Refused) -> None:
        self._write(call)

    @staticmethod
    def _write(call: Call) -> None:
        call.session.execute(text(f"INSERT INTO {RECORDED} VALUES (:key)"), {"key": call.key})


class _PaysBack(_Asks):
    def prepare(self, call: Call) -> Charge:  # type: ignore[override]
        return Charge(call.order, 0)


def submission(call: Call) -> dict[str, Any]:
    """What is signed."""
    return {"order": call.order, "amount": call.variables["note"]["amount"]}


def registry(outside: Outside) -> Registry:
    """The operations of the two diagrams."""
    return build_registry(outside, {"repair.charge": _Asks, "repair.pay_back": _PaysBack,
                                    "repair.submission": submission})
