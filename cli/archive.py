"""A backup's file: a tar of plain files behind a manifest that says size and SHA-256 of each, compressed by zstandard.

What is read may come from anywhere: only names of this list are taken, only plain files, only as many bytes as the
manifest says, and nothing counts before every hash was compared.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from handlers.contract import WaybillError

FORMAT = 1
DATABASE = "waybill.db"
SECRETS = ("secret-key", "webhook-secret")
"""Keys of a demo; readable by their owner alone."""
MARKS = ("demo", "demo-opened", "demo-clock", *SECRETS)
FOLDERS = ("documents", "outbox", "outside")
_PART = re.compile(
    rf"{re.escape(DATABASE)}|{'|'.join(MARKS)}|outside/[a-z][a-z-]{{0,40}}\.db"
    r"|documents/[0-9a-f]{2}/[0-9a-f]{64}|outbox/[A-Za-z0-9-][A-Za-z0-9.-]{0,86}\.eml"
)
_MANIFEST = "manifest.json"
_LONGEST_MANIFEST = 512 * 1024 * 1024
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1024 * 1024
_PADDING = 64 * 1024
"""More zeros than any tar ends with."""

Report = Callable[[int], None]
"""Told how many more bytes are done."""


class NotABackup(WaybillError):
    """A file that is no backup, was changed, or is damaged."""


class Part(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """What a backup holds, and of when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    made_at: datetime
    """When the database was as it is in the backup; by the machine's clock."""
    waybill: str
    """Version of the program that made it."""
    revision: str
    """Revision of the database's tables."""
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)


def is_part(name: str) -> bool:
    """Whether a backup may hold a file of this name."""
    return _PART.fullmatch(name) is not None


def part_of(name: str, path: Path, report: Report) -> Part:
    """A file as the manifest describes it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            report(len(chunk))
    return Part(name=name, size=size, sha256=digest.hexdigest())


# --- write ------------------------------------------------------------------------------------------------------------


def write(target: Path, manifest: Manifest, files: Mapping[str, Path], report: Report) -> None:
    """Writes a backup; the file has its name only when it is complete and on the disk.

    NotABackup when a file is no longer what the manifest says.
    """
    compressor = ZstdCompressor(write_checksum=True)
    with (
        _named_when_complete(target) as raw,
        compressor.stream_writer(raw, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        described = manifest.model_dump_json(indent=1).encode()
        tar.addfile(_header(_MANIFEST, len(described), manifest.made_at), io.BytesIO(described))
        for part in manifest.parts:
            with files[part.name].open("rb") as file:
                reader = _Hashing(file, report)
                tar.addfile(_header(part.name, part.size, manifest.made_at), reader)
                if reader.sha256 != part.sha256 or file.read(1):
                    raise NotABackup(f"{files[part.name]} was changed while it was copied. Begin again.")


class _Hashing(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes], report: Report) -> None:
        self._file, self._report, self._digest = file, report, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        self._report(len(data))
        return data

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _header(name: str, size: int, at: datetime) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, int(at.timestamp()), 0o600
    return header


@contextmanager
def _named_when_complete(target: Path) -> Iterator[IO[bytes]]:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        # people's addresses, and a demo's keys, are in it: for its owner alone
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes names in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- read -------------------------------------------------------------------------------------------------------------


def extract(source: Path, folder: Path, accept: Callable[[Manifest], None], report: Callable[[int, int], None]) -> None:
    """Writes every part of a backup, with its manifest, into an empty folder and compares every hash.

    `accept` sees the manifest before anything is written and may refuse it; `report` is told bytes done and all bytes.
    NotABackup when anything is not as it must be; what has been written by then is worth nothing.
    """
    try:
        with source.open("rb") as raw, ZstdDecompressor().stream_reader(raw, read_across_frames=False) as stream:
            described = b"".join(_chunks(stream, _size_of(stream, _MANIFEST, most=_LONGEST_MANIFEST)))
            manifest = _checked(described)
            accept(manifest)
            if manifest.size > shutil.disk_usage(folder).free:
                raise NotABackup(f"{folder} has too little space: the backup needs {manifest.size:,} bytes.")
            done = 0
            for part in manifest.parts:
                for written in _extract(stream, part, folder):
                    done += written
                    report(done, manifest.size)
            rest = stream.read(_PADDING)
            if len(rest) == _PADDING or rest.strip(b"\0"):
                raise NotABackup("more follows than the manifest names")
            (folder / _MANIFEST).write_bytes(described)
    except (ZstdError, tarfile.TarError, ValidationError, EOFError) as error:
        raise NotABackup(f"it cannot be read ({type(error).__name__})") from error


def manifest_in(folder: Path) -> Manifest:
    """The manifest of a folder that `extract` has filled."""
    return Manifest.model_validate_json((folder / _MANIFEST).read_bytes())


def _checked(described: bytes) -> Manifest:
    manifest = Manifest.model_validate_json(described)
    names = [part.name for part in manifest.parts]
    if manifest.format != FORMAT:
        raise NotABackup(f"it is of format {manifest.format}, and this Waybill reads format {FORMAT}")
    if strange := next((name for name in names if not is_part(name)), None):
        raise NotABackup(f"it holds {strange[:100]!r}, which no backup holds")
    if len(set(names)) < len(names) or DATABASE not in names:
        raise NotABackup("its manifest names a file twice, or no database")
    return manifest


def _extract(stream: IO[bytes], part: Part, folder: Path) -> Iterator[int]:
    if _size_of(stream, part.name, most=part.size) != part.size:
        raise NotABackup(f"{part.name} has another size than the manifest says")
    target = folder / part.name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    mode = 0o600 if part.name in SECRETS else 0o666
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        for chunk in _chunks(stream, part.size):
            digest.update(chunk)
            file.write(chunk)
            yield len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != part.sha256:
        raise NotABackup(f"{part.name} has another SHA-256 than the manifest says")


def _size_of(stream: IO[bytes], name: str, *, most: int) -> int:
    """Reads the header of the next file, which must be a plain one of this name, and returns its size.

    The headers are read here and not by tarfile: it follows long names and other additions, as large as they say.
    """
    header = tarfile.TarInfo.frombuf(_exactly(stream, _BLOCK), "utf-8", "strict")
    if header.type != tarfile.REGTYPE or header.name != name:
        raise NotABackup(f"{header.name[:100]!r} stands where {name} should")
    if not 0 <= header.size <= most:
        raise NotABackup(f"{name} is larger than it may be")
    return header.size


def _chunks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """The bytes of a file, and past the zeros behind it."""
    left = size
    while left:
        chunk = _exactly(stream, min(left, _CHUNK))
        left -= len(chunk)
        yield chunk
    _exactly(stream, -size % _BLOCK)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = stream.read(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found
