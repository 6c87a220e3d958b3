"""The texts of the pages in the language of whoever reads. English stands in the code; a language is one `.po` here.

    _("Sign in")                                        a text
    _("Picked up by %(courier)s", courier=name)         with a value
    ngettext("%(num)s parcel", "%(num)s parcels", 3)    by number
    N_("Late")                                          marked where it stands, translated later by `_(word)`

Templates and the pages' scripts call the same names. `make texts` collects everything into `messages.pot`; see
docs/translating.md.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask

from web.local import local

FOLDER = Path(__file__).parent
POT = FOLDER / "messages.pot"
SCRIPTS = "web/frontend/"
"""Where the catalogue says that a text of a script stands."""
SOURCE = "en"
"""The language in which the texts are written."""


def languages() -> tuple[str, ...]:
    """The languages that the pages have: English, and each that has a file here."""
    return (SOURCE, *sorted(path.stem for path in FOLDER.glob("*.po")))


@cache
def translations(language: str) -> NullTranslations:
    """The texts of a language. One that has none, and a text that is not translated yet, reads in English."""
    path = FOLDER / f"{language}.po"
    if not path.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _here() -> NullTranslations:
    return translations(local().locale.language)


def gettext(message: str, **values: Any) -> str:
    """The text in the reader's language; with values, `%(name)s` in it is replaced."""
    text = _here().gettext(message)
    return text % values if values else text


def ngettext(one: str, many: str, count: int, **values: Any) -> str:
    """The text that fits the number, which stands in it as `%(num)s`."""
    return _here().ngettext(one, many, count) % {"num": count, **values}


def english(message: str, **values: Any) -> str:
    """The text as it stands in the code: for what is kept, such as in an order's history."""
    return message % values if values else message


def N_(message: str) -> str:  # noqa: N802 - the usual name of this mark
    """Marks a text for the catalogue and leaves it as it is."""
    return message


_ = gettext


@cache
def _in_scripts() -> tuple[str, ...]:
    """The texts that the scripts show, as the catalogue found them there."""
    with POT.open("rb") as file:
        found = read_po(file)
    return tuple(str(message.id) for message in found if message.id and any(
        place.startswith(SCRIPTS) for place, _line in message.locations))


def script_texts() -> dict[str, str]:
    """English → the reader's language, for the texts that the pages' scripts show; empty where all read in English."""
    here = _here()
    if type(here) is NullTranslations:
        return {}
    return {text: said for text in _in_scripts() if (said := here.gettext(text)) != text}


def init_texts(app: Flask) -> None:
    """Gives templates `_`, `ngettext`, `{% trans %}`, and what the scripts need."""
    app.jinja_env.globals["script_texts"] = script_texts
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: _here().gettext(message),
        lambda one, many, count: _here().ngettext(one, many, count),
        newstyle=True,
    )
