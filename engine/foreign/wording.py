"""Turns expressions of other tools into ours where they mean the same: FEEL (`=a > b`), JUEL (`${a > b}`), JavaScript.

One small grammar serves all of them; each has its own words for the operators. What is outside of the grammar is not
translated: a person writes it anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from engine.errors import ExpressionError
from engine.expressions import compile_expression

Dialect = Literal["feel", "juel"]
Resolve = Callable[[str], str]
"""What stands here for a variable of theirs: `approved` → `check_invoice.approved`."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"[^\"\\]*\"|'[^'\\]*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>===|!==|&&|\|\||==|!=|<=|>=|\.\.|[-+*/%<>=!?:()\[\],.]))"
)
_WHOLE = re.compile(r"[$#]\{([^{}]*)\}")
_MAX = 1_000
_JUEL_WORDS = {"and": "and", "or": "or", "not": "!", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=",
               "ge": ">=", "mod": "%", "div": "/"}  # fmt: skip
_SIGNS = {"&&": "and", "||": "or", "===": "==", "!==": "!="}
_COMPARES = {"==", "!=", "<", "<=", ">", ">="}
_FUNCTIONS = {"count": "len", "string": "str", "abs": "abs", "min": "min", "max": "max"}
_FEEL_WORDS = frozenset({"and", "or", "if", "then", "else", "in", "between", "not", "some", "every", "for", "return",
                         "satisfies", "function", "instance", "of"})  # fmt: skip
_CONSTANTS = {"true": "true", "false": "false", "null": "null"}


class _UnknownWordingError(Exception):
    """It is not of the grammar."""


def dialect_of(text: str, language: str = "") -> Dialect | None:
    """The language that a text shows to be in, by its signs or by the attribute `language`."""
    plain = text.strip()
    if plain.startswith("=") and not plain.startswith("=="):
        return "feel"
    if _WHOLE.fullmatch(plain):
        return "juel"
    name = language.lower()
    if "feel" in name:
        return "feel"
    return "juel" if any(word in name for word in ("juel", "javascript", "groovy", "mvel", "java")) else None


def translate(text: str, language: str = "", resolve: Resolve = str) -> str | None:
    """The expression in our language, or None where it is not certain to mean the same.

    A text that shows no language and is no expression of ours is tried as each.
    """
    plain = " ".join(text.split())
    if not plain or len(plain) > _MAX:
        return None
    dialect = dialect_of(plain, language)
    whole = _WHOLE.fullmatch(plain)
    inner = whole[1] if whole else plain.lstrip("=").strip() if dialect == "feel" else plain
    tried: tuple[Dialect, ...] = (dialect,) if dialect else ("juel", "feel")
    for each in tried:
        try:
            reader = _Reader(_tokens(inner), each, resolve, spaced=dialect != "juel")
            found = reader.read()
            if dialect is None and not reader.compares:
                return None  # words without any sign of an expression are a name for people
            compile_expression(found)
        except (_UnknownWordingError, ExpressionError):
            continue
        return found
    return None


def is_foreign(text: str, language: str = "") -> bool:
    """Whether a text is marked as one of theirs, so that reading it as ours would be a guess."""
    return dialect_of(text, language) is not None


def timer_text(text: str) -> str | None:
    """The ISO 8601 text inside of `=duration("PT5M")`, `="R3/PT1H"`, `${'PT5M'}` or a bare text; None without one."""
    plain = text.strip()
    whole = _WHOLE.fullmatch(plain)
    inner = (whole[1] if whole else plain.removeprefix("=")).strip()
    match = re.fullmatch(r"(?:duration|date and time|cycle)?\s*\(?\s*([\"'])([^\"']+)\1\s*\)?", inner)
    return match[2].strip() if match else None


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise _UnknownWordingError
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


@dataclass
class _Reader:
    """Reads tokens by precedence and writes our text."""

    tokens: list[tuple[str, str]]
    dialect: Dialect
    resolve: Resolve
    spaced: bool
    """Whether a name may hold spaces."""
    place: int = 0
    depth: int = 0
    compares: bool = field(default=False)
    """Whether a sign of comparing or joining was met."""

    def read(self) -> str:
        found = self._whole()
        if self.place < len(self.tokens):
            raise _UnknownWordingError
        return found

    # --- tokens

    def _now(self) -> str:
        """The sign or word at this place, in one spelling for all languages; empty at the end and for values."""
        if self.place >= len(self.tokens):
            return ""
        kind, text = self.tokens[self.place]
        if kind == "sign":
            return "==" if text == "=" and self.dialect == "feel" else _SIGNS.get(text, text)
        if kind == "name":
            if self.dialect == "juel":
                return _JUEL_WORDS.get(text, "")
            return text if text in _FEEL_WORDS else ""
        return ""

    def _take(self, *signs: str) -> str:
        now = self._now()
        if now and now in signs:
            self.place += 1
            return now
        return ""

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _UnknownWordingError

    # --- grammar

    def _whole(self) -> str:
        self.depth += 1
        if self.depth > 15:
            raise _UnknownWordingError
        if self.dialect == "feel" and self._take("if"):
            condition = self._whole()
            self._expect("then")
            yes = self._whole()
            self._expect("else")
            found = f"({yes} if {condition} else {self._whole()})"
        else:
            found = self._joined("or")
            if self._take("?"):
                yes = self._whole()
                self._expect(":")
                found = f"({yes} if {found} else {self._whole()})"
        self.depth -= 1
        return found

    def _joined(self, word: str) -> str:
        def part() -> str:
            return self._joined("and") if word == "or" else self._negated()

        found = part()
        while self._take(word):
            self.compares = True
            found = f"{found} {word} {part()}"
        return found

    def _negated(self) -> str:
        if self._take("!") or (self.dialect == "feel" and self._now() == "not" and self._take("not")):
            self.compares = True
            return f"not {self._primary_or_sum()}"
        return self._compared()

    def _primary_or_sum(self) -> str:
        """What `!` and `not(…)` bind to: one value, which may stand in brackets."""
        return f"({self._negated()})" if self._now() == "!" else self._value()

    def _compared(self) -> str:
        left = self._sum()
        sign = self._take(*_COMPARES)
        if sign:
            self.compares = True
            right = self._sum()
            if '"true"' in (left, right) or '"false"' in (left, right):
                raise _UnknownWordingError  # text or truth value: theirs turns one into the other, ours does not
            if self._now() in _COMPARES:
                raise _UnknownWordingError  # a < b < c means something else in each language
            return f"{left} {sign} {right}"
        if self.dialect == "feel" and self._take("between"):
            low = self._sum()
            self._expect("and")
            self.compares = True
            return f"({low} <= {left} and {left} <= {self._sum()})"
        if self.dialect == "feel" and self._take("in"):
            self.compares = True
            closing = {"(": ")", "[": "]"}[self._take("(", "[") or "("]
            return f"{left} in [{', '.join(self._listed(closing))}]"
        return left

    def _sum(self) -> str:
        found = self._product()
        while sign := self._take("+", "-"):
            found = f"{found} {sign} {self._product()}"
        return found

    def _product(self) -> str:
        found = self._value()
        while sign := self._take("*", "/", "%"):
            found = f"{found} {sign} {self._value()}"
        return found

    def _value(self) -> str:
        if self._take("-"):
            return f"-{self._value()}"
        if self._take("("):
            found = self._whole()
            self._expect(")")
            return f"({found})"
        if self._take("["):
            return f"[{', '.join(self._listed(']'))}]"
        if self.place >= len(self.tokens):
            raise _UnknownWordingError
        kind, text = self.tokens[self.place]
        self.place += 1
        if kind == "text":
            return json.dumps(text[1:-1], ensure_ascii=False)
        if kind == "number":
            return text
        if kind == "name" and not (self.dialect == "feel" and text in _FEEL_WORDS):
            return self._named(text)
        raise _UnknownWordingError

    def _listed(self, closing: str) -> list[str]:
        found: list[str] = []
        if not self._take(closing):
            found.append(self._whole())
            while self._take(","):
                found.append(self._whole())
            self._expect(closing)
        return found

    def _named(self, name: str) -> str:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        words = [name]
        while self.spaced and [kind for kind, _ in self.tokens[self.place : self.place + 1]] == ["name"]:
            if self._now():
                break
            words.append(self.tokens[self.place][1])  # a name with spaces
            self.place += 1
        if len(words) > 1:
            name = "_".join(word.lower() for word in words)
        path = [name]
        while self._take("."):
            kind, part = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
            if kind != "name":
                raise _UnknownWordingError
            path.append(part)
            self.place += 1
        if self._take("("):
            return self._called(path)
        if self._now() == "[":
            raise _UnknownWordingError  # theirs count from one, or filter
        return ".".join([self.resolve(path[0]), *path[1:]])

    def _called(self, path: list[str]) -> str:
        values = self._listed(")")
        if path[-1] == "getVariable" and len(path) <= 2 and len(values) == 1 and values[0].startswith('"'):
            return self.resolve(values[0].strip('"'))
        function = _FUNCTIONS.get(path[0]) if self.dialect == "feel" and len(path) == 1 else None
        if function is None:
            raise _UnknownWordingError
        return f"{function}({', '.join(values)})"
