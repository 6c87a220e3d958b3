"""A language in which every text is wrapped, and the reader of its pages: what stands unwrapped was not marked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from gettext import NullTranslations
from html import unescape
from pathlib import Path
from typing import Any

from sqlalchemy import select

from handlers.tables import Product
from tests.web.api_world import World
from tests.web.visitor import Visitor
from web import accounts

SHOWN = ("aria-label", "title", "placeholder", "alt", "data-l")
DATA = "//*[contains(@class, 'code') or self::code or self::kbd or self::bdi or self::option or self::time or self::dd]"
"""Elements that hold data of the company, of people or of machines."""
ENGLISH = """
    //ol[contains(@class, 'log')]//p[@class='quote'] | //details[@class='changed']/dl
    | //table[contains(@class, 'changes')]/tbody
"""
"""What stays in English or was typed: what the history quotes and what data it lists, what changes between versions."""
KNOWN = {"Waybill", "WB", "UTC", "Product", "product", "aisle", "mia", "tanaka", "example", "com"}
"""Words of the company's own data."""
WRITTEN = (
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b|\b\d{1,2} [A-Z][a-z]{2}\b"
    r"|\b[0-9a-f]{8}(?:-?[0-9a-f]{4})+\b|\b[0-9a-f]{4} [0-9a-f]{4}\b"
)
"""Dates (`Mon 23 Nov`, `23 Nov`, `Thu`), ids and hashes."""


class Wrapped(NullTranslations):
    """Every text in brackets, with its values and the tags in it outside of them."""

    def gettext(self, message: str) -> str:
        return re.sub(r"(<[^>]*>|%\(\w+\)s)", r"⟧\1⟦", f"⟦{message}⟧")

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def left_out(who: Visitor, addresses: Iterable[str], data: Iterable[str] = ()) -> dict[str, list[str]]:
    """Page → what it says in English alone, of those that do."""
    known = tuple(data)
    found = {address: unmarked(who.goes(address).tree, known) for address in addresses}
    return {address: texts for address, texts in found.items() if texts}


def unmarked(tree: Any, data: Iterable[str] = ()) -> list[str]:
    """The texts of a page that are neither in brackets nor known data, with `data` the company's on this page."""
    for element in tree.xpath(f"{DATA} | {ENGLISH} | //script | //style"):
        tail = element.tail
        element.clear()
        element.tail = tail
    found = list(tree.xpath("//body//text() | //title/text()"))
    found += [value for name in SHOWN for value in tree.xpath(f"//body//@{name}")]
    phrases = "|".join(map(re.escape, sorted(data, key=len, reverse=True)))
    known = re.compile(rf"{WRITTEN}|(?<!\w)({phrases})(?!\w)" if phrases else WRITTEN)
    left = [known.sub("", re.sub(r"⟦[^⟧]*⟧", " ", str(text))) for text in found]
    return [text.strip() for text in left if set(re.findall(r"[A-Za-z]{2,}", text)) - KNOWN]


def names(world: World) -> set[str]:
    """What the company calls its people, teams, products and the parts of its diagrams."""
    with world.database.read() as session:
        people = {name for user in accounts.users(session) for name in (user.name, user.display_name)}
        there = accounts.all_teams(session).values()
        teams = {name for team in there for name in (team.key, team.title, team.title.lower())}
        products = set(session.scalars(select(Product.name)))
    diagrams = "".join(path.read_text("utf-8") for path in Path("processes").glob("*.[bd]*"))
    return people | teams | products | {unescape(name) for name in re.findall(r' name="([^"]+)"', diagrams)}
