"""What leaves the building: the renderer of PDFs and mail texts, the store of rendered bytes, and `document.render`."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import typst
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.exceptions import TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import papers
from handlers.contract import Call, External, WaybillError, operation
from handlers.tables import Document

if TYPE_CHECKING:
    from handlers.ports import Ports

_NAME = re.compile(r"[a-z]+([-_][a-z]+)*")


class CannotRender(WaybillError):
    """A document or mail source is missing or does not fit the data it was given."""


class NotStored(WaybillError):
    """The file store does not hold these bytes, or not unharmed."""


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A mail's three parts. The subject is one line."""

    subject: str
    text: str
    html: str


class Renderer:
    """Makes PDFs from `<name>.typ` and mails from `mails/<kind>.subject|.txt|.html` in one folder.

    It reads nothing else. Data reaches a source as data, never as source text. Every source also sees `company.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.company: Mapping[str, Any] = json.loads((self.folder / "company.json").read_text("utf-8"))
        # The bundled fonts set the text; the machine's own are asked only for letters those lack.
        self._fonts = typst.Fonts(include_system_fonts=True, include_embedded_fonts=True)
        self._mails = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self.folder / "mails"),
            undefined=StrictUndefined,
            autoescape=lambda name: bool(name and name.endswith(".html")),
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def pdf(self, name: str, data: Mapping[str, Any]) -> bytes:
        """A PDF of `<name>.typ`. The same data gives the same bytes. `data` is plain JSON values."""
        source = self.folder / f"{name}.typ"
        if not _NAME.fullmatch(name) or not source.is_file():
            raise CannotRender(f"There is no document {name!r}: documents/{name}.typ is missing.")
        inputs = {"data": json.dumps({**data, "company": self.company}, ensure_ascii=False)}
        nowhere = str(self.folder / "packages")  # no source may pull a package in, from disk or network
        try:
            return typst.compile(
                str(source),
                root=str(self.folder),
                font_paths=self._fonts,
                sys_inputs=inputs,
                package_path=nowhere,
                package_cache_path=nowhere,
                timestamp=0,
            )
        except typst.TypstError as error:
            raise CannotRender(f"documents/{name}.typ cannot be rendered: {error.message}") from error

    def mail(self, kind: str, context: Mapping[str, Any]) -> RenderedMail:
        """A mail of this kind. Every variable that its templates name must be in `context`."""
        if not _NAME.fullmatch(kind):
            raise CannotRender(f"There is no mail {kind!r}.")
        values = {**context, "company": self.company}
        try:
            subject, text, html = (
                self._mails.get_template(f"{kind}.{part}").render(values) for part in ("subject", "txt", "html")
            )
        except TemplateNotFound as error:
            raise CannotRender(f"There is no mail {kind!r}: documents/mails/{error.name} is missing.") from error
        except TemplateError as error:
            raise CannotRender(f"The mail {kind!r} cannot be rendered: {error.message}") from error
        return RenderedMail(" ".join(subject.split())[:200], text.strip() + "\n", html.strip() + "\n")


class FileStore:
    """Rendered bytes in a folder, each under its SHA-256, so what is stored never changes and is stored once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Stores the bytes for good (on disk when this returns) and returns their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        target = self._path(sha256)
        if target.exists() and target.read_bytes() == data:
            return sha256
        target.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as draft:
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).replace(target)
        _sync_folder(target.parent)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes with this hash. Raises `NotStored` when they are not there or no longer the same."""
        target = self._path(sha256)
        try:
            data = target.read_bytes()
        except FileNotFoundError:
            raise NotStored(f"The file store has nothing under {sha256}.") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise NotStored(f"The file under {sha256} is damaged: restore it from a backup.")
        return data

    def _path(self, sha256: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise NotStored(f"{sha256!r} is not a SHA-256.")
        return self.folder / sha256[:2] / sha256


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that lie in the file store."""

    sha256: str
    size: int


def record_document(
    call: Call, name: str, stored: Stored, *, title: str, content_type: str = "application/pdf", key: str | None = None
) -> Document:
    """Notes a rendered file of the order; the same key (the call's, unless given) notes it once."""
    key = key or call.key
    row = call.session.scalar(select(Document).where(Document.key == key))
    if row is None:
        row = Document(
            order_number=call.order,
            name=name,
            title=title,
            content_type=content_type,
            sha256=stored.sha256,
            size=stored.size,
            made_at=call.now,
            key=key,
        )
        call.session.add(row)
        call.session.flush()
    return row


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper to render, with everything that stands on it, as it was when it was asked for."""

    name: str
    number: str
    data: dict[str, Any]


@operation("document.render")
class RenderDocument(External):
    """Renders an order's invoice, credit note (by its number) or packing slip (by the order's) as PDF and keeps it."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(self, call: Call, name: str, number: str, due: int | None = None) -> Paper:
        """`due`: what the order owes now in minor units, if the caller knows; an invoice says it."""
        makers: dict[str, Callable[[Session, str], dict[str, Any]]] = {
            "invoice": partial(papers.invoice, due=due),
            "credit-note": papers.invoice,
            "packing-slip": papers.packing_slip,
        }
        if name not in makers:
            raise CannotRender(f"There is no document {name!r}; there are {', '.join(makers)}.")
        return Paper(name, number, makers[name](call.session, number))

    def perform(self, paper: Paper, key: str) -> Stored:
        pdf = self.ports.renderer.pdf(paper.name, paper.data)
        return Stored(self.ports.files.put(pdf), len(pdf))

    def record(self, call: Call, paper: Paper, stored: Stored) -> Mapping[str, Any]:
        record_document(call, f"{paper.name}.pdf", stored, title=paper.number)
        return {"name": f"{paper.name}.pdf", "sha256": stored.sha256}
