"""Drafts: bundles that analysts work on, kept as they are, until one of them asks for consent.

Several people may have one draft open. A save names the revision it was made on, and one that was made on an older
one is refused, so that nobody overwrites another's work unseen.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from lxml import etree
from sqlalchemy import ColumnElement, and_, exists, literal, select, update
from sqlalchemy.orm import Session, defer
from sqlalchemy.orm.attributes import set_committed_value

from engine.bundling import drawn, refuse_unfit
from engine.definitions import Bundle
from engine.deployment import WHY, Deployment, limited, missing_process, required
from engine.errors import Conflict, DraftChanged, Finding, InvalidForm, NotFound
from engine.safe_xml import parse_xml
from engine.store.tables import Draft, ProcessVersion
from engine.views import Actor, DraftView, VersionView
from handlers.contract import FieldError

LONGEST_TITLE = 200
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")
"""What a process may be called: an XML id that fits the database's column and an address."""


class Drafts(Deployment):
    """Open, read, save, name, discard drafts, and ask for consent to one."""

    def open_draft(
        self, actor: Actor, *, key: str | None = None, base_version: int | None = None, title: str = "",
        files: Mapping[str, bytes] | None = None, editors: Collection[str] = (),
    ) -> DraftView:
        """Opens a draft: of a deployed version, of files (all that it holds then), or empty with a start event.

        Without `key` it is the first executable process that the files draw, or the first of all. `base_version` says
        what the files build on; without one the process is new. `editors` made the files, beside the actor.
        InvalidForm. NotFound: there is no such deployed version. Conflict: the process is deployed, and no base is
        named.
        """
        title = _title(title)
        if files is not None:
            refuse_unfit(files)
            key = _key_of(files, key)
        elif key is None:
            raise InvalidForm([FieldError("/key", "Name the process.")])
        with self.transaction() as tx:
            name, bundle = self._base(tx, key, base_version)
            if bundle is None and files is None:
                _require_key(key)
                files = {f"processes/{key}.bpmn": empty_diagram(key, title or key)}
            kept = Bundle(files) if files is not None else bundle
            assert kept is not None
            now = self.clock.now()
            row = Draft(
                id=str(uuid.uuid4()), key=key, title=title or name or _name_of(kept, key), base_version=base_version,
                bundle=kept.pack(), revision=1, state="open", version=None, created_by=actor.name, created_at=now,
                updated_by=actor.name, updated_at=now,
                editors="\n".join(sorted({*editors, actor.name} if files is not None else editors)),
            )
            tx.add(row)
            tx.flush()
            return _view(row, kept.files)

    def draft(self, draft_id: str) -> DraftView:
        """One draft with its files, open or asked. NotFound, also when it was discarded."""
        with self.reading() as session:
            row, answer = _row(session, draft_id)
            return _view(row, Bundle.unpack(row.bundle).files, answer)

    def drafts(self) -> list[DraftView]:
        """The open drafts without their files, the one changed last first."""
        statement = (
            _with_answer().where(Draft.state == "open").options(defer(Draft.bundle))
            .order_by(Draft.updated_at.desc(), Draft.id)
        )
        with self.reading() as session:
            return [_view(row, {}, (by, answer)) for row, by, answer in session.execute(statement)]

    def save_draft(
        self, draft_id: str, actor: Actor, *, revision: int, files: Mapping[str, bytes | None]
    ) -> DraftView:
        """Puts files in place of those of the same name; None removes one. The same save again changes nothing.

        DraftChanged: somebody has saved after `revision`. Conflict: it is not open. InvalidForm: names or sizes.
        NotFound.
        """
        with self.transaction() as tx:
            row, answer = _open(tx, draft_id)
            before = Bundle.unpack(row.bundle).files
            after = {name: data for name, data in {**before, **files}.items() if data is not None}
            if row.revision == revision + 1 and row.updated_by == actor.name and after == before:
                return _view(row, before, answer)  # the answer to the first one was lost
            refuse_unfit(after)
            editors = sorted({*row.editors.splitlines(), actor.name})
            self._change(tx, row, actor, revision, bundle=Bundle(after).pack(), editors="\n".join(editors))
            return _view(row, after, answer)

    def rename_draft(self, draft_id: str, actor: Actor, title: str) -> DraftView:
        """Gives a draft another title; its revision stays, so nobody's unsaved work is refused for that."""
        title = _title(required(title, "title", "Give it a title."))
        with self.transaction() as tx:
            row, answer = _open(tx, draft_id)
            self._write(tx, row, title=title)
            return _view(row, Bundle.unpack(row.bundle).files, answer)

    def rebase_draft(self, draft_id: str, actor: Actor, *, revision: int, base_version: int) -> DraftView:
        """Says that the draft now builds on another deployed version, whose changes a person has taken over.

        InvalidForm: there is no such version. DraftChanged. Conflict: it is not open. NotFound.
        """
        with self.transaction() as tx:
            row, answer = _open(tx, draft_id)
            known = tx.execute(select(exists().where(
                ProcessVersion.key == row.key, ProcessVersion.version == base_version,
                ProcessVersion.state == "deployed"))).scalar_one()
            if not known:
                raise InvalidForm([FieldError("/base_version", f"{row.key} has no deployed version {base_version}.")])
            self._change(tx, row, actor, revision, base_version=base_version)
            return _view(row, Bundle.unpack(row.bundle).files, answer)

    def discard_draft(self, draft_id: str, actor: Actor) -> None:
        """Discards a draft for good. Conflict: consent was asked for it. NotFound."""
        with self.transaction() as tx:
            row, _ = _open(tx, draft_id)
            self._write(tx, row, state="discarded", updated_by=actor.name, updated_at=self.clock.now())

    def copy_draft(
        self, draft_id: str, actor: Actor, *, whose: str, files: Mapping[str, bytes | None] | None = None
    ) -> DraftView:
        """A new draft of all that another holds, with these files laid over it: for whoever cannot save there. Its
        title names `whose` it is. Of one that was discarded too. NotFound. InvalidForm."""
        with self.reading() as session:
            row = session.get(Draft, draft_id)
            if row is None:
                raise NotFound("There is no such draft.")
            key, base, title, held = row.key, row.base_version, row.title, Bundle.unpack(row.bundle).files
            editors = row.editors.splitlines()
        after = {name: data for name, data in {**held, **(files or {})}.items() if data is not None}
        of = f" (copy of {whose[:80]})"
        return self.open_draft(
            actor, key=key, base_version=base, title=title[:LONGEST_TITLE - len(of)] + of, files=after,
            editors=editors)

    def check_draft(self, draft_id: str, files: Mapping[str, bytes | None] | None = None) -> list[Finding]:
        """Everything that speaks against deploying a draft, with unsaved files laid over it. NotFound. InvalidForm."""
        found = self.draft(draft_id)
        after = {name: data for name, data in {**found.files, **(files or {})}.items() if data is not None}
        refuse_unfit(after)
        findings = self.check(Bundle(after))
        read = all(parse_xml(data, file)[0] is not None for file, data in after.items() if file.endswith(".bpmn"))
        if read and not any(one.id == found.key for file, data in after.items() for one in drawn(file, data)):
            findings = [*findings, missing_process(found.key)]
        return findings

    def submit_draft(self, draft_id: str, actor: Actor, *, reason: str, revision: int) -> list[VersionView]:
        """Asks for consent to a draft; the draft waits with it. The same call again changes nothing.

        Errors as `propose`, and DraftChanged: somebody has saved after `revision`.
        """
        found = self.draft(draft_id)
        if found.state == "asked" and (found.revision, found.updated_by) == (revision, actor.name):
            assert found.version is not None
            return [self.version(found.key, found.version)]
        if found.revision != revision:
            raise _changed(found)
        reason, bundle = required(reason, "reason", WHY), Bundle(found.files)
        names = self._fitting(bundle, found.key)
        with self.transaction() as tx:
            row, _ = _open(tx, draft_id)  # before the lock on versions: a save waits for nothing else
            versions = self._propose_all(
                tx, names, bundle, actor, "draft", reason, found.key, found.base_version)
            asked = next(version for version in versions if version.key == found.key)
            self._change(tx, row, actor, revision, state="asked", version=asked.version, revision=revision)
            return versions

    # --- parts ---

    def _base(self, tx: Session, key: str, base_version: int | None) -> tuple[str, Bundle | None]:
        """The name of the process and the bundle of its base version, if one is named."""
        deployed = select(ProcessVersion).where(ProcessVersion.key == key, ProcessVersion.state == "deployed")
        if base_version is None:
            newest = tx.scalars(deployed.order_by(ProcessVersion.version.desc()).limit(1)).one_or_none()
            if newest is not None:
                raise Conflict(f"{newest.name} ({key}) is deployed already. To change it, name the version to build "
                               f"on: the newest is {newest.version}. For a new process choose another key.")
            return "", None
        row = tx.scalars(deployed.where(ProcessVersion.version == base_version)).one_or_none()
        if row is None:
            raise NotFound(f"There is no deployed version {base_version} of {key}.")
        return row.name, Bundle.unpack(row.bundle)

    def _change(self, tx: Session, row: Draft, actor: Actor, on: int, **values: Any) -> None:
        """Writes to a draft if its revision still is `on`. DraftChanged. Conflict: it is not open."""
        at = self.clock.now()
        self._write(tx, row, Draft.revision == on,
                    **{"revision": on + 1, "updated_by": actor.name, "updated_at": at, **values})

    def _write(self, tx: Session, row: Draft, *conditions: ColumnElement[bool], **values: Any) -> None:
        """Writes to a draft that is open and meets the conditions, all in one statement, so that nobody slips between.

        DraftChanged. Conflict: it is not open.
        """
        statement = (
            update(Draft).where(Draft.id == row.id, Draft.state == "open", *conditions).values(**values)
            .returning(literal(1)).execution_options(synchronize_session=False)
        )
        if tx.execute(statement).first() is None:
            tx.expire(row)
            raise _changed(_open(tx, row.id)[0])
        for name, value in values.items():
            set_committed_value(row, name, value)


def empty_diagram(key: str, name: str) -> bytes:
    """A diagram with one start event, drawn, from which a process can be made."""
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC"
  xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core"
  id="definitions_{key}" targetNamespace="http://waybill.example/processes">
  <bpmn:process id="{key}" name="" isExecutable="true">
    <bpmn:startEvent id="start"/>
  </bpmn:process>
  <bpmndi:BPMNDiagram id="diagram_{key}">
    <bpmndi:BPMNPlane id="plane_{key}" bpmnElement="{key}">
      <bpmndi:BPMNShape id="start_shape" bpmnElement="start">
        <dc:Bounds x="180" y="160" width="36" height="36"/>
      </bpmndi:BPMNShape>
    </bpmndi:BPMNPlane>
  </bpmndi:BPMNDiagram>
</bpmn:definitions>
"""
    root = etree.fromstring(text.encode())
    root[0].set("name", name)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _key_of(files: Mapping[str, bytes], key: str | None) -> str:
    """The process that a draft of these files is about. InvalidForm says what the files draw instead."""
    for file, data in files.items():
        if file.endswith(".bpmn") and (found := parse_xml(data, file)[1]):
            raise InvalidForm([FieldError(f"/files/{file.replace('/', '~1')}", f"{one.message} {one.advice}")
                               for one in found])
    processes = [one for file, data in files.items() for one in drawn(file, data)]
    if key is None:
        # other tools mark none: the first pool is what their author cares for
        key = next((one.id for one in processes if one.executable), processes[0].id if processes else None)
    told = ", ".join(one.id for one in processes)
    if key is None or not processes:
        raise InvalidForm([FieldError("/files", "The files hold no diagram with a process.")])
    if key not in {one.id for one in processes}:
        raise InvalidForm([FieldError("/key", f"The diagrams draw no process {key[:80]}; they draw {told}.")])
    _require_key(key)
    return key


def _title(text: str) -> str:
    if not text.isprintable():  # it becomes a name in a diagram, and XML takes no control characters
        raise InvalidForm([FieldError("/title", "A title is one line of characters that can be seen.")])
    return limited(text, "title", LONGEST_TITLE)


def _require_key(key: str) -> None:
    if _KEY.fullmatch(key) is None:
        raise InvalidForm([FieldError("/key", "The key of a process has letters, digits and _ . -, a letter first, at "
                                              "most 80 characters: gift_wrapping.")])


def _name_of(bundle: Bundle, key: str) -> str:
    names = (one.name for file, data in bundle.files.items() for one in drawn(file, data) if one.id == key)
    return next((name for name in names if name), key)[:LONGEST_TITLE]


def _with_answer() -> Any:
    """Drafts with who returned the version that they became, and why."""
    returned = and_(
        ProcessVersion.key == Draft.key, ProcessVersion.version == Draft.version, ProcessVersion.state == "returned")
    return select(Draft, ProcessVersion.consented_by, ProcessVersion.answer).outerjoin(ProcessVersion, returned)


def _row(session: Session, draft_id: str) -> tuple[Draft, tuple[str | None, str | None]]:
    found = session.execute(_with_answer().where(Draft.id == draft_id)).one_or_none()
    if found is None or found[0].state == "discarded":
        raise NotFound("There is no such draft; perhaps it was discarded.")
    row, by, answer = found
    return row, (by, answer)


def _open(session: Session, draft_id: str) -> tuple[Draft, tuple[str | None, str | None]]:
    row, answer = _row(session, draft_id)
    if row.state == "asked":
        raise Conflict(f"Consent to this draft is asked for, as version {row.version} of {row.key}. It can be changed "
                       "again when that version is returned.")
    return row, answer


def _changed(found: Draft | DraftView) -> DraftChanged:
    return DraftChanged(
        f"{found.updated_by} has changed this draft at {found.updated_at:%H:%M:%S} UTC on {found.updated_at:%Y-%m-%d}.",
        by=found.updated_by, at=found.updated_at, revision=found.revision,
    )


def _view(row: Draft, files: Mapping[str, bytes], answer: tuple[str | None, str | None] = (None, None)) -> DraftView:
    return DraftView(
        id=row.id, key=row.key, title=row.title, base_version=row.base_version, revision=row.revision,
        state=row.state,  # type: ignore[arg-type]
        version=row.version, created_by=row.created_by, created_at=row.created_at, updated_by=row.updated_by,
        updated_at=row.updated_at, files=files, answered_by=answer[0], answer=answer[1] or "",
    )
