"""The catalogue of the pages' texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment

from web import texts
from web.texts.collect import POT, collected

TEMPLATES = texts.FOLDER.parent / "templates"
NAMES = {
    "Waybill", "UTC", "signin", "Enter", "Esc", "Ctrl", "waybill catalogue import FILE", "waybill processes diff",
    "supplier_return", '{"reference": "4711"}',
}  # fmt: skip
"""Names, keys, commands and examples: the same in each language."""

CALLS = ("_", "ngettext", "url_for", "icon", "asset")
GAP = "\0"
READS = re.compile(r"^(?!.*[<=]).*([A-Z][a-z]|[a-z]{2,} [a-z]{2,})", re.DOTALL)
"""A string of a template that is something to read, and no name, class or attribute."""

PO = """msgid ""
msgstr "Plural-Forms: nplurals=2; plural=(n != 1);\\nContent-Type: text/plain; charset=utf-8\\n"

msgid "Picked up"
msgstr "Abgeholt"

msgid "%(num)s day"
msgid_plural "%(num)s days"
msgstr[0] "%(num)s Tag"
msgstr[1] "%(num)s Tage"
"""


def test_the_catalogue_holds_every_text_of_the_pages() -> None:
    """Run `make texts` after a text was changed: translators work on this file."""
    with POT.open("rb") as file:
        kept = read_po(file)

    assert {str(message.id) for message in kept} == {str(message.id) for message in collected()}


def test_a_language_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as it is; plural forms follow it, and what it lacks reads in English."""
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    texts.translations.cache_clear()
    (tmp_path / "de.po").write_text(PO, encoding="utf-8")
    monkeypatch.setattr(texts, "_here", lambda: texts.translations("de"))

    assert texts.languages() == ("en", "de")
    assert texts.gettext("Picked up") == "Abgeholt"
    assert [texts.ngettext("%(num)s day", "%(num)s days", n) for n in (1, 2)] == ["1 Tag", "2 Tage"]
    assert texts.gettext("Delivered") == "Delivered"
    texts.translations.cache_clear()


def test_every_text_of_a_template_is_marked() -> None:
    """Also where no test opens the page just so."""
    plain = {}
    for path in TEMPLATES.rglob("*.html"):
        name = str(path.relative_to(TEMPLATES))
        if (found := set(plain_texts(path.read_text("utf-8"))) - NAMES):
            plain[name] = found

    assert plain == {}


def test_what_is_not_marked_is_found() -> None:
    """Text, attributes and strings that are shown; not values, addresses and what is marked."""
    template = """<p title="One {{ n }}">Two {{ 'Three' if n else _('marked') }}{% trans %}marked{% endtrans %}</p>
        {{ shown(_('marked'), 'four words in here') }}<a href="/five" data-l="{{ _('Six') }}">{{ n }}</a>"""

    assert list(plain_texts(template)) == ["Three", "four words in here", "One", "Two"]


def plain_texts(template: str) -> Iterator[str]:
    """What a template says outside of `_`, `ngettext` and `trans`: text, attributes, and strings that it shows."""
    html, in_trans, shows, depth, before = "", False, False, 0, ""
    for _line, kind, value in Environment(autoescape=True).lex(template):
        if kind == "whitespace":
            continue
        if kind in ("block_begin", "variable_begin"):
            html, shows, depth = html + GAP, kind == "variable_begin", 0
        elif before == "{%" and value in ("trans", "endtrans"):
            in_trans = value == "trans"
        elif kind == "data" and not in_trans:
            html += value
        elif value == "(" and (depth or before in CALLS):
            depth += 1
        elif value == ")" and depth:
            depth -= 1
        elif kind == "string" and shows and not depth and READS.search(value):
            yield value.strip("'\"")
        before = value
    said = re.findall(r'\b(?:aria-label|title|placeholder|alt|data-l)="([^"]*)"', html)
    html = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "\n", html, flags=re.DOTALL)
    said.append(re.sub(r'[\w-]+="[^"]*"', GAP, html))  # attributes that a macro writes
    parts = (part.strip(" ,·–:") for text in said for part in re.split(rf"[\n{GAP}]", text))
    yield from (part for part in parts if re.search(r"[A-Za-z]{2,}", part))
