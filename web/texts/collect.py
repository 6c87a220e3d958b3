"""`python -m web.texts.collect`: gathers every text of the pages into `messages.pot`, and brings it into each language.

Told by the Makefile's `texts`. The files keep neither date nor line numbers: they change only when a text does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from handlers.picklists import COURIERS, FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS
from web.texts import FOLDER, POT

WEB = FOLDER.parent
_METHODS = [
    ("frontend/node_modules/**", "ignore"),
    ("frontend/src/*.js", "javascript"),
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
]
_OPTIONS = {
    "templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}
}
_KEYWORDS: Mapping[str, tuple[int, ...] | None] = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
_WORDS: Mapping[str, Iterable[str]] = {
    "handlers/picklists.py": [
        word
        for words in (COURIERS, FOLLOW_UPS, PAYMENT_METHODS, REGIONS, SHIPPING_METHODS)
        for word in words.values()
    ],
}
"""Words that the pages take from elsewhere, and where they stand."""


def collected() -> Catalog:
    """Every text of the pages, with the files in which it stands."""
    catalog = Catalog(project="Waybill", charset="utf-8")
    found = extract_from_dir(str(WEB), _METHODS, _OPTIONS, dict(_KEYWORDS), ("Translators:",), strip_comment_tags=True)
    for file, _line, message, comments, context in found:
        catalog.add(message, locations=[(f"web/{file}", 0)], auto_comments=comments, context=context)
    for file, words in _WORDS.items():
        for word in words:
            catalog.add(word, locations=[(file, 0)])
    return catalog


def write(catalog: Catalog, path: Path) -> None:
    """The catalogue as a file, without what changes by itself."""
    with path.open("wb") as file:
        write_po(file, catalog, width=120, sort_by_file=True, include_lineno=False, omit_header=catalog.locale is None)


def main() -> None:
    catalog = collected()
    write(catalog, POT)
    for path in sorted(FOLDER.glob("*.po")):
        with path.open("rb") as file:
            language = read_po(file, locale=path.stem)
        language.update(catalog, update_creation_date=False)
        write(language, path)


if __name__ == "__main__":
    main()
