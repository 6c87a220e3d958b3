"""The catalogue of the pages' texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from web import texts
from web.texts.collect import POT, collected

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
