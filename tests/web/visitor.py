"""Words for tests of the pages: a person at a browser without scripts, who reads, follows links and sends forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from lxml import html
from werkzeug.test import TestResponse

from tests.web.api_world import World

PASSWORD = "demo"


class Page:
    """An answer, read as a person does."""

    def __init__(self, answer: TestResponse) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.tree = html.fromstring(answer.get_data(as_text=True) or "<html></html>")

    @property
    def text(self) -> str:
        return " ".join(self.tree.text_content().split())

    @property
    def heading(self) -> str:
        return " ".join(self.tree.findtext(".//h1").split())

    def find(self, path: str) -> list[Any]:
        return list(self.tree.xpath(path))

    def links(self) -> list[str]:
        return [str(href) for href in self.tree.xpath("//a/@href")]

    def link(self, words: str) -> str:
        """The address of the link that reads so."""
        for link in self.tree.iter("a"):
            if words in " ".join(link.text_content().split()):
                return str(link.get("href"))
        raise AssertionError(f"no link reads {words!r}")

    def form(self, action: str = "") -> dict[str, list[str]]:
        """What a browser would send of the form whose action ends so, without its buttons."""
        for form in self.tree.forms:
            if (form.action or "").split("?")[0].endswith(action) and form.method == "POST":
                sent: dict[str, list[str]] = {}
                for name, value in form.form_values():
                    sent.setdefault(name, []).append(value)
                return sent
        raise AssertionError(f"no form goes to {action!r}")

    def value(self, name: str) -> str:
        """What stands in the input of that name."""
        found = self.tree.xpath("//*[@name=$name]", name=name)
        assert found, f"no input is called {name!r}"
        return str(found[0].value if found[0].tag != "textarea" else found[0].text or "")


class Visitor:
    """One person at a browser."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def signs_in(self, name: str, password: str = PASSWORD, **more: str) -> Page:
        sent = {**self.goes("/sign-in").form(), "name": name, "password": password, **more}
        return Page(self.client.post("/sign-in", data=sent, follow_redirects=True))

    def goes(self, address: str, *, follow: bool = True, **headers: str) -> Page:
        return Page(self.client.get(address, follow_redirects=follow, headers=headers))

    def sends(self, address: str, form: Mapping[str, Any], *, follow: bool = True, **more: Any) -> Page:
        """Sends a form as it is: the token must be in it."""
        return Page(self.client.post(address, data={**form, **more}, follow_redirects=follow))


def visitor(world: World, name: str) -> Visitor:
    """A person who has signed in."""
    who = Visitor(world.app)
    page = who.signs_in(name)
    assert page.status == 200, page.text
    return who


def open_task(world: World, order: str) -> str:
    """The id of the order's open task."""
    found = [task.id for task in world.engine.order_tasks(order) if task.state == "open"]
    assert len(found) == 1, found
    return found[0]


def example(world: World, order: str) -> dict[str, Any]:
    """A document that is valid for the order's open task."""
    return dict(world.task_of(order)["form"]["examples"][0])


def as_inputs(document: Mapping[str, Any], at: str = "") -> dict[str, str]:
    """A document as the inputs of its form."""
    found: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, list):
            for index, row in enumerate(value):
                found |= as_inputs(row, f"{at}/{name}/{index}")
        elif isinstance(value, Mapping):
            found |= as_inputs(value, f"{at}/{name}")
        elif value is True:
            found[f"{at}/{name}"] = "true"
        elif value is not False and value is not None:
            found[f"{at}/{name}"] = str(value)
    return found
