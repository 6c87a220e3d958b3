"""Bundles that come as multipart/form-data: their files, and the texts beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import request

from engine import Engine
from engine.bundling import defines, laid_over
from engine.errors import NotFound
from engine.lint.bundle import MAX_BYTES, MAX_FILES
from handlers.contract import FieldError
from web.api.endpoint import Part
from web.problems import ApiProblem, bad_input

BUNDLE_LIMIT = MAX_BYTES
"""Bytes of a request that carries a bundle."""

FILES = {
    "diagram": Part("One or more .bpmn files. At least one without `base_version`."),
    "forms": Part("Any number of .json files: forms and their .ui.json."),
    "decisions": Part("Any number of .dmn files."),
}
BASE = {
    "base_version": Part("The deployed version that the files are laid over; without it they stand alone.", text=True),
    "key": Part("The process that `base_version` belongs to; needed when the files do not tell.", text=True),
}
_PLACES = {"diagram": ("processes", ".bpmn"), "decisions": ("processes", ".dmn"), "forms": ("forms", ".json")}


@dataclass(frozen=True, slots=True)
class Upload:
    """What came: files under the names that a bundle bears, and texts by part."""

    files: dict[str, bytes]
    texts: dict[str, str]

    @property
    def base_version(self) -> int | None:
        """The number in the part of that name. ApiProblem when it is none."""
        text = self.texts.get("base_version", "").strip()
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise bad_input(FieldError("/base_version", "This must be the number of a version."))
        return int(text)

    @property
    def key(self) -> str | None:
        return self.texts.get("key", "").strip() or None


def read_upload(*texts: str) -> Upload:
    """The parts of the request: files, and texts of the given names. ApiProblem names each part that is wrong."""
    if request.mimetype != "multipart/form-data":
        raise ApiProblem("wrong-content-type", "Send the files as multipart/form-data.")
    request.max_form_parts = MAX_FILES + len(texts)
    known = ", ".join([*_PLACES, *texts])
    errors = [
        FieldError(f"/{part}", f"There is no such part here, or not of this kind; there are {known}.")
        for part in {*(request.files.keys() - _PLACES.keys()), *(request.form.keys() - set(texts))}
    ]
    errors += [FieldError(f"/{part}", "Give this part once.") for part in texts if len(request.form.getlist(part)) > 1]
    errors += [FieldError(f"/{part}", "This text holds a NUL character.") for part, text in request.form.items()
               if "\x00" in text]
    files: dict[str, bytes] = {}
    for part, (folder, suffix) in _PLACES.items():
        for upload in request.files.getlist(part):
            name = (upload.filename or "").replace("\\", "/").rpartition("/")[2]
            if not name.endswith(suffix) or "\x00" in name or f"{folder}/{name}" in files:
                errors.append(FieldError(f"/{part}", f"Each file needs a name of its own that ends with {suffix}."))
                continue
            files[f"{folder}/{name}"] = upload.read()
    if "base_version" not in request.form and not request.files.getlist("diagram"):
        errors.append(FieldError("/diagram", "Send at least one diagram."))
    elif not files:
        errors.append(FieldError("/diagram", "Send at least one file."))
    if errors:
        raise bad_input(*errors)
    return Upload(files, dict(request.form))


def whole(engine: Engine, upload: Upload) -> tuple[dict[str, bytes], str | None]:
    """The files as a bundle, laid over the base version's when one is named, and the process that version is of."""
    base = upload.base_version
    if base is None:
        return upload.files, upload.key
    key = upload.key or _owner(engine, upload, base)
    try:
        found = engine.version(key, base)
    except NotFound as error:
        raise bad_input(FieldError("/base_version", str(error))) from None
    if found.state != "deployed":
        raise bad_input(FieldError("/base_version", f"Version {base} of {key} is not deployed: nothing builds on it."))
    return laid_over(engine.bundle(key, base).files, upload.files), key


def _owner(engine: Engine, upload: Upload, base: int) -> str:
    """The process whose version the files are meant for: the one they draw, else the only one that has such files."""
    drawn = {id_ for file, data in upload.files.items() for id_ in defines(file, data)}
    keys = [one.key for one in engine.versions() if one.version == base and one.state == "deployed"]
    if not keys:
        raise bad_input(FieldError("/base_version", f"No process has a deployed version {base}."))
    fitting = [key for key in keys if key in drawn] or keys
    if len(fitting) > 1:
        fitting = [key for key in fitting if _holds(engine.bundle(key, base).files, upload, drawn)] or fitting
    if len(fitting) > 1:
        raise bad_input(FieldError("/key", f"Say which process is changed: {', '.join(fitting)}."))
    return fitting[0]


def _holds(files: Mapping[str, bytes], upload: Upload, drawn: set[str]) -> bool:
    return bool(files.keys() & upload.files.keys()) or any(
        drawn & defines(file, data) for file, data in files.items())
