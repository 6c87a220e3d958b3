"""People and customers over the HTTP API, as the demo's people choose. A request without an answer is done again."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import select

from demo.customers import order_form
from demo.dice import Dice
from demo.people import OWNER, People
from engine import Engine
from engine.errors import (
    AlreadyDecided,
    AlreadyDone,
    Conflict,
    InvalidForm,
    NotFound,
    SeparationOfDuties,
    StaleSnapshot,
    TakenByAnother,
)
from engine.store.tables import Job
from engine.views import Actor, Approval, Page, TaskDetail, TaskView
from handlers.contract import FieldError
from web.accounts import DEMO_PASSWORD

_PATIENCE = 180
"""Seconds after which a person who gets no answer at all gives up, and with them the run."""
_RETRIES = 8
"""How often the owner retries one incident."""
_SLUGS: Mapping[str, type[Exception]] = {
    "already-done": AlreadyDone, "already-decided": AlreadyDecided, "stale-snapshot": StaleSnapshot,
    "separation-of-duties": SeparationOfDuties, "not-found": NotFound, "conflict": Conflict, "too-late": Conflict,
    "stale-revision": Conflict,
}  # fmt: skip
_TIMES = ("claimed_at", "created_at", "due_at", "completed_at")
_TASK = [field.name for field in fields(TaskView)]


class NoAnswer(Exception):
    """The shop answered nothing for so long that nobody will wait any longer."""


class Client:
    """Calls the API of any web process; a failed call is made again until there is an answer."""

    def __init__(self, ports: Sequence[int], tokens: Mapping[str, str]) -> None:
        self._ports, self._tokens = ports, tokens

    def call(self, method: str, path: str, who: str, body: Any = None, **headers: str) -> Any:
        """The answer's body. Raises the error that the answer names."""
        limit = time.monotonic() + _PATIENCE
        said = "nothing"
        while time.monotonic() < limit:
            try:
                status, said = self._once(method, path, who, body, headers)
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
                continue
            if status < 500:
                return _meaning(status, json.loads(said))
            time.sleep(0.1)
        raise NoAnswer(f"{method} {path}: {said[:500]}")

    def _once(
        self, method: str, path: str, who: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", random.choice(self._ports), timeout=20)
        sent = {"Authorization": f"Bearer {self._tokens[who]}",
                **{name.replace("_", "-"): text for name, text in headers.items()}}
        data = None
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, f"/api/v1{path}", data, sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def _meaning(status: int, body: Any) -> Any:
    if status < 300:
        return body
    slug = str(body.get("type", "")).rpartition("/")[2]
    if slug == "taken":
        raise TakenByAnother(body.get("assignee", ""))
    if slug == "bad-input":
        raise InvalidForm([FieldError(e["field"], e["message"]) for e in body.get("errors", [])])
    raise _SLUGS.get(slug, RuntimeError)(f"{status}: {body}")


class Desk:
    """The few methods of the engine that the demo's people use, over the API; only counting visits reads along."""

    def __init__(self, client: Client, engine: Engine, dice: Dice) -> None:
        self._client, self._engine, self._dice = client, engine, dice

    def order_tasks(self, order: str) -> Any:
        return self._engine.order_tasks(order)

    def tasks(self, actor: Actor, *, limit: int, cursor: str | None = None) -> Page[TaskView]:
        more = f"&cursor={cursor}" if cursor else ""
        body = self._client.call("GET", f"/tasks?limit={limit}{more}", actor.name)
        return Page(tuple(_task(item) for item in body["items"]), body["next"])

    def task(self, task_id: str, actor: Actor) -> TaskDetail:
        try:
            body = self._client.call("GET", f"/tasks/{task_id}", actor.name)
        except NotFound as error:
            raise AlreadyDone(str(error)) from error
        return TaskDetail(
            task=_task(body), form=body["form"], ui=body["ui"], data=body["data"], draft=body["draft"],
            instructions=body["instructions"], incident=body["incident"], approval=_approval(body),
        )  # fmt: skip

    def complete(self, task_id: str, actor: Actor, form: Any) -> None:
        self._fiddle(task_id, actor, form)
        try:
            self._client.call("POST", f"/tasks/{task_id}/complete", actor.name, {"data": form})
        except (NotFound, Conflict) as error:
            raise AlreadyDone(str(error)) from error

    def _fiddle(self, task_id: str, actor: Actor, form: Any) -> None:
        """Some take a task first, give it back, hand it to themselves or type half of it."""
        habit = self._dice.weigh({"": 70.0, "claim": 12.0, "release": 6.0, "assign": 6.0, "draft": 6.0}, task_id)
        if not habit:
            return
        with suppress(NotFound, Conflict, InvalidForm):  # a request that is done again finds what the first one did
            if habit == "draft":
                self._client.call("PUT", f"/tasks/{task_id}/draft", actor.name, {"data": form})
            elif habit == "assign":
                self._client.call("POST", f"/tasks/{task_id}/assign", actor.name, {"to": actor.name})
            else:
                self._client.call("POST", f"/tasks/{task_id}/claim", actor.name)
            if habit == "release":
                self._client.call("POST", f"/tasks/{task_id}/release", actor.name)

    def decide(
        self, task_id: str, actor: Actor, decision: str, *, comment: str, snapshot: str,
        send_back_to: int | None = None,
    ) -> None:
        body: dict[str, Any] = {"decision": decision, "comment": comment, "snapshot": snapshot,
                                "password": DEMO_PASSWORD}
        if send_back_to is not None:
            body["send_back_to"] = send_back_to
        try:
            self._client.call("POST", f"/tasks/{task_id}/decide", actor.name, body)
        except (NotFound, Conflict) as error:
            raise AlreadyDecided(str(error)) from error

    def jobs(self, *, state: str, limit: int) -> Any:
        body = self._client.call("GET", f"/jobs?state={state}&limit={limit}", OWNER.name)
        return Page(tuple(_Job(item["id"]) for item in body["items"]))

    def retry(self, job_id: str, actor: Actor) -> None:
        with suppress(NotFound, Conflict):
            self._client.call("POST", f"/jobs/{job_id}/retry", actor.name)


class _Job:
    def __init__(self, id_: str) -> None:
        self.id = id_


class Staff:
    """Everybody at once: several tasks are done at the same time, as in a real office."""

    def __init__(self, client: Client, engine: Engine, dice: Dice) -> None:
        self._client, self._engine, self._dice = client, engine, dice
        self._desk = Desk(client, engine, dice)
        self._people = People(self._desk, dice)  # type: ignore[arg-type]
        self._pool = ThreadPoolExecutor(4)
        self._retried: Counter[str] = Counter()
        self._by_hand = 0
        """Incidents that were resolved by hand so far."""

    def tick(self) -> int:
        """Everybody does what is open now; returns how many tasks were done."""
        open_tasks: list[TaskView] = []
        cursor = None
        while True:
            page = self._desk.tasks(OWNER, limit=100, cursor=cursor)
            open_tasks += page.items
            cursor = page.next
            if cursor is None:
                break
        kept = self._kept()
        return sum(self._pool.map(self._people.act, [task for task in open_tasks if task.id not in kept]))

    def _kept(self) -> set[str | None]:
        """Tasks whose form or decision is kept and is the owner's to try again: nobody fills them in meanwhile."""
        with self._engine.reading() as session:
            return set(session.scalars(select(Job.task_id).where(
                Job.kind.in_(("form", "decision")), Job.state.in_(("ready", "leased", "dead")))))

    def retry_incidents(self) -> int:
        """The owner looks after every incident; one that comes back again and again is left, and found at the end."""
        hopeless = {job for job, times in self._retried.items() if times >= _RETRIES}
        tried = set(hopeless)
        count = self._resolve_some() + self._people.retry_incidents(tried)
        self._retried.update(tried - hopeless)
        return count

    def _resolve_some(self) -> int:
        """A kept form that is not worth trying again, as the first is and many others are: the owner ends the incident,
        and the task is done anew."""
        found = self._client.call("GET", "/jobs?state=dead&limit=200", OWNER.name)["items"]
        forms = [job["id"] for job in found if job["kind"] == "form"]
        first = 1 if self._by_hand == 0 else 0
        by_hand = forms[:first] + [job for job in forms[first:] if self._dice.chance(0.4, job, "by hand")]
        for job in by_hand:
            self._quietly("POST", f"/jobs/{job}/resolve", {"reason": "It is filled in once more."})
        self._by_hand += len(by_hand)
        return len(by_hand)

    def clear_messages(self) -> int:
        """The owner sets aside what nobody takes any more; first by mistake, and puts it back."""
        count = 0
        while True:
            found = self._client.call("GET", "/messages?state=unmatched&limit=100", OWNER.name)["items"]
            for message in found:
                path = f"/messages/{message['id']}"
                reason = {"reason": "Looked at; nothing is to be done."}
                self._quietly("POST", f"{path}/set-aside", reason)
                self._quietly("POST", f"{path}/put-back")
                self._quietly("POST", f"{path}/set-aside", reason)
            count += len(found)
            if not found:
                return count

    def _quietly(self, method: str, path: str, body: Any = None) -> None:
        """A request that is done again may find what the first one did."""
        with suppress(NotFound, Conflict):
            self._client.call(method, path, OWNER.name, body)


class Customers:
    """Who orders, and who changes their mind."""

    def __init__(self, client: Client, dice: Dice) -> None:
        self._client, self._dice = client, dice
        self.leaving: dict[str, tuple[int, int]] = {}
        """Orders whose customers will cancel: once their history is this long and they have come to this step."""

    def place(self, n: int, changes: Mapping[str, Any]) -> str:
        """The n-th customer orders; returns the order's number."""
        form = {**order_form(self._dice, n), **changes}
        number = str(self._client.call("POST", "/orders", "sales", _body(form),
                                       Idempotency_Key=f"crash-{self._dice.seed}-{n}")["number"])
        if self._dice.chance(0.06, n, "cancels"):
            self.leaving[number] = self._dice.number(2, 40, n, "cancels at"), 0
        return number

    def cancel(self, seen: Mapping[str, tuple[str, int, int]]) -> int:
        """Cancels the orders whose moment has come. `seen`: status, length of the history and step of each order."""
        due = [
            number for number, (length, step) in self.leaving.items()
            if number in seen and seen[number][1] >= length and seen[number][2] >= step
        ]
        for number in due:
            del self.leaving[number]
            with suppress(Conflict):  # picked up, or ended
                self._client.call("POST", f"/orders/{number}/cancel", "sales", {"reason": "The customer left."})
        return len(due)


def _body(form: Mapping[str, Any]) -> dict[str, Any]:
    """The form of step 1 as the body that places an order."""
    customer = {name: form[name] for name in ("name", "email", "phone")}
    address = {name: form[name] for name in ("street", "city", "region", "postal_code", "country") if name in form}
    rest = {name: value for name, value in form.items() if name not in customer and name not in address}
    return {"customer": customer, "shipping_address": address, **rest}


def _task(body: Mapping[str, Any]) -> TaskView:
    return TaskView(**{
        name: datetime.fromisoformat(body[name]) if name in _TIMES and body[name] else body[name]
        for name in _TASK if name in body
    })


def _approval(body: Mapping[str, Any]) -> Approval | None:
    found = body["approval"]
    if found is None:
        return None
    steps = {name: tuple((s["number"], s["name"]) for s in found[name]) for name in ("send_back_to", "submits")}
    return Approval(submission=body["submission"], snapshot=body["snapshot"], signatures=(),
                    need=found["signatures"]["need"], blocked=found["blocked"], **steps)
