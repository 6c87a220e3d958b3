"""Versions of processes: checked, numbered, never changed, and deployed on top of nothing but the newest.

An analyst's change is proposed with a reason and waits for a second analyst's consent; the folder of the installation
and the command line, which are the operator's, deploy at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, defer

from engine.definitions import Bundle, main_processes, parse_bundle
from engine.errors import (
    CannotDeploy,
    Conflict,
    Finding,
    InvalidForm,
    NotFound,
    NothingChanged,
    OwnVersion,
    StaleBase,
)
from engine.lint import check
from engine.lint.guard import guarded_check
from engine.messages import Messages
from engine.store.once import hold_key
from engine.store.tables import Draft, Instance, ProcessVersion
from engine.views import Actor, VersionView
from handlers.contract import FieldError

WHY = "Say why: it is kept with the version."
LONGEST_REASON = 2000
"""Characters of a reason or a comment."""
_LOCK = "deploy"
"""Only one transaction at a time numbers or deploys versions."""


class Deployment(Messages):
    """Check, deploy, propose, consent, return, go back, versions."""

    def check(self, bundle: Bundle) -> list[Finding]:
        """Everything that speaks against deploying a bundle, and warnings: read in a process of its own, in bounded
        time."""
        return guarded_check(bundle.files, self.registry, self.working_teams())

    def deploy(
        self, bundle: Bundle, actor: Actor, *, origin: str = "folder", reason: str = "",
        base_version: int | None = None, built_on: str | None = None, session: Session | None = None,
    ) -> list[VersionView]:
        """Deploys a bundle at once under each process that stands for itself; returns their newest versions.

        Content that was deployed before changes nothing. A folder builds on the version last deployed from it, or on
        the one whose content hash is `built_on`, whichever is newer. CannotDeploy: the linter refuses it. StaleBase:
        somebody has deployed a newer version.
        """
        found = check(bundle.files, self.registry, self.working_teams()) if origin == "folder" else self.check(bundle)
        _require_fit(found)  # the operator's own files need no process of their own
        diagrams, _ = parse_bundle(bundle)
        with self.transaction(session) as tx:
            hold_key(tx, _LOCK)  # several processes may be started at once
            for key in main_processes(diagrams):
                rows = _rows(tx, key)
                deployed = [row for row in rows if row.state == "deployed"]
                if any(row.content_hash == bundle.content_hash for row in deployed):
                    continue
                base = base_version
                if origin == "folder" and base is None:
                    base = max((row.version for row in deployed if row.origin == "folder"
                                or row.content_hash == built_on), default=None)
                newest = deployed[-1].version if deployed else None
                name = diagrams[key].name
                if base != newest:
                    raise _stale_folder(key, name, base, newest) if origin == "folder" else _stale(
                        key, name, base, newest)
                self._add(tx, rows, key, name, bundle, actor, origin, reason, base, waits=False)
            tx.flush()
            return [_view(_newest(tx, key), 0) for key in main_processes(diagrams)]

    def propose(
        self, bundle: Bundle, actor: Actor, *, reason: str, base_version: int | None, origin: str = "upload",
        key: str | None = None,
    ) -> list[VersionView]:
        """Asks for consent to a bundle, under each process that stands for itself; returns the versions that wait.

        Without `consent_needed` they are deployed at once. `base_version` is a version of the process `key`, by default
        of the bundle's first one that has it; None: the process is new. The same proposal again changes nothing.
        InvalidForm: no reason, or a base that is not there. CannotDeploy. StaleBase. NothingChanged.
        """
        reason = required(reason, "reason", WHY)
        names = self._fitting(bundle, key)
        with self.transaction() as tx:
            return self._propose_all(tx, names, bundle, actor, origin, reason, key, base_version)

    def consent(self, key: str, version: int, actor: Actor, comment: str = "") -> VersionView:
        """Deploys a version that waits. The same person's consent again changes nothing.

        OwnVersion: the actor made it. StaleBase: another version was deployed meanwhile. Conflict: it no longer waits.
        CannotDeploy: it was made when other rules held. NotFound.
        """
        comment = limited(comment, "comment")
        bundle = self.bundle(key, version)
        with self.reading() as session:
            row = self._to_consent(session, key, version, actor)
            if row.state == "deployed":
                return _view(row, 0)
        _require_fit(self.check(bundle))
        with self.transaction() as tx:
            hold_key(tx, _LOCK)
            row = self._to_consent(tx, key, version, actor)
            if row.state != "deployed":
                row.state, row.consented_by, row.answer = "deployed", actor.name, comment
                row.deployed_at = row.answered_at = self.clock.now()
            tx.flush()
            return _view(row, 0)

    def made(self, key: str, version: int, actor: Actor) -> bool:
        """Whether the actor asked for consent to a version, or changed its draft. NotFound."""
        with self.reading() as session:
            return actor.name.casefold() in _makers(session, _row(session, key, version))

    def return_version(self, key: str, version: int, actor: Actor, comment: str) -> VersionView:
        """Returns a version that waits to who made it, with a comment; its draft is open again.

        Who made it may take it back so. InvalidForm: no comment. Conflict: it no longer waits. NotFound.
        """
        comment = required(comment, "comment", "Say what is to be changed.")
        with self.transaction() as tx:
            hold_key(tx, _LOCK)
            row = _row(tx, key, version)
            if row.state == "returned" and (row.consented_by, row.answer) == (actor.name, comment):
                return _view(row, 0)
            if row.state != "awaiting_consent":
                raise Conflict(_no_longer_waits(row), row.consented_by)
            row.state, row.consented_by, row.answer = "returned", actor.name, comment
            row.answered_at = self.clock.now()
            tx.execute(
                update(Draft).where(Draft.key == key, Draft.version == version, Draft.state == "asked")
                .values(state="open")
            )
            tx.flush()
            return _view(row, 0)

    def go_back(self, key: str, version: int, actor: Actor, *, reason: str) -> list[VersionView]:
        """Proposes the bundle of an older version as a new one, on top of the newest. Errors as `propose`."""
        reason = required(reason, "reason", WHY)
        with self.reading() as session:
            old = _row(session, key, version)
            if old.state != "deployed":
                raise Conflict(f"Version {version} of {old.name} was never deployed, so nobody can go back to it.")
            newest = _newest(session, key)
            if old.content_hash == newest.content_hash:
                raise NothingChanged(f"Nothing changed: the newest of {newest.name}, version {newest.version}, has the "
                                     "same content.")
            bundle, base = Bundle.unpack(old.bundle), newest.version
        _require_fit(self.check(bundle))
        diagrams, _ = parse_bundle(bundle)
        with self.transaction() as tx:
            hold_key(tx, _LOCK)
            return [self._propose(tx, key, diagrams[key].name, bundle, actor, "back", reason, base)]

    def versions(self, key: str | None = None) -> list[VersionView]:
        """Every version, newest first, of one process or of all, also those that wait or were returned."""
        with self.reading() as session:
            live = dict(session.execute(
                select(Instance.version_id, func.count()).where(Instance.status.in_(("open", "cancelling")))
                .group_by(Instance.version_id)
            ).tuples().all())
            statement = (
                select(ProcessVersion).options(defer(ProcessVersion.bundle))
                .order_by(ProcessVersion.key, ProcessVersion.version.desc())
            )
            if key is not None:
                statement = statement.where(ProcessVersion.key == key)
            return [_view(row, live.get(row.id, 0)) for row in session.scalars(statement)]

    def version(self, key: str, version: int) -> VersionView:
        """One version, whatever its state. NotFound."""
        with self.reading() as session:
            row = _row(session, key, version)
            live = select(func.count()).where(
                Instance.version_id == row.id, Instance.status.in_(("open", "cancelling")))
            return _view(row, session.execute(live).scalar_one())

    def bundle(self, key: str, version: int) -> Bundle:
        """The files of one version, whatever its state. NotFound."""
        with self.reading() as session:
            return Bundle.unpack(_row(session, key, version).bundle)

    # --- parts ---

    def _fitting(self, bundle: Bundle, key: str | None) -> dict[str, str]:
        """The processes of a bundle that stand for themselves, with their names. CannotDeploy.

        Asked before a transaction begins: a check takes seconds, and on SQLite nobody else could write meanwhile.
        """
        _require_fit(self.check(bundle))
        diagrams, _ = parse_bundle(bundle)
        keys = main_processes(diagrams)
        if key is not None and key not in keys:
            raise CannotDeploy([missing_process(key)])
        return {each: diagrams[each].name for each in keys}

    def _propose_all(
        self, tx: Session, names: Mapping[str, str], bundle: Bundle, actor: Actor, origin: str, reason: str,
        key: str | None, base_version: int | None,
    ) -> list[VersionView]:
        hold_key(tx, _LOCK)
        bases = self._bases(tx, list(names), key, base_version)
        return [
            self._propose(tx, each, name, bundle, actor, origin, reason, bases[each]) for each, name in names.items()
        ]

    def _bases(
        self, tx: Session, keys: Sequence[str], key: str | None, base_version: int | None
    ) -> Mapping[str, int | None]:
        """On which version of each process the proposal builds.

        One bundle may hold several processes with numbers of their own: those beside `key` build on their version that
        has the same content as the base.
        """
        if base_version is None:
            return dict.fromkeys(keys)
        found = select(ProcessVersion.key, ProcessVersion.content_hash).where(
            ProcessVersion.key.in_([key] if key is not None else keys), ProcessVersion.version == base_version,
            ProcessVersion.state == "deployed")
        contents = dict(tx.execute(found).tuples().all())
        main = next((each for each in keys if each in contents), None)
        if main is None:
            raise InvalidForm([FieldError("/base_version", f"There is no deployed version {base_version} of "
                                                           f"{key or ', '.join(keys)}.")])
        bases: dict[str, int | None] = {}
        for each in keys:
            same = select(func.max(ProcessVersion.version)).where(
                ProcessVersion.key == each, ProcessVersion.content_hash == contents[main],
                ProcessVersion.state == "deployed")
            bases[each] = base_version if each == main else tx.execute(same).scalar_one()
        return bases

    def _propose(
        self, tx: Session, key: str, name: str, bundle: Bundle, actor: Actor, origin: str, reason: str,
        base: int | None,
    ) -> VersionView:
        rows = _rows(tx, key)
        deployed = next((row for row in reversed(rows) if row.state == "deployed"), None)
        newest: int | None = None if deployed is None else deployed.version
        for row in reversed(rows):
            if (row.content_hash, row.base_version) != (bundle.content_hash, base):
                continue
            if row.version == newest:
                return _view(_row(tx, key, row.version), 0)  # the same proposal again
            if row.state == "awaiting_consent" and newest == base:
                return self._asked_again(tx, key, row.version, actor)
        if base != newest:
            raise _stale(key, name, base, newest)
        if deployed is not None and deployed.content_hash == bundle.content_hash:
            raise NothingChanged(f"Nothing changed: this is what version {newest} of {name} holds already.")
        added = self._add(tx, rows, key, name, bundle, actor, origin, reason, base, waits=self.consent_needed)
        tx.flush()
        return _view(added, 0)

    def _asked_again(self, tx: Session, key: str, version: int, actor: Actor) -> VersionView:
        row = _row(tx, key, version)
        if row.deployed_by != actor.name:
            raise Conflict(f"{row.deployed_by} has asked for consent to the same change: it waits as version "
                           f"{row.version}. Consent to that one.", row.deployed_by)
        if not self.consent_needed:  # asked when consent was needed still
            row.state, row.deployed_at = "deployed", self.clock.now()
        return _view(row, 0)

    def _add(
        self, tx: Session, rows: Sequence[Any], key: str, name: str, bundle: Bundle, actor: Actor, origin: str,
        reason: str, base: int | None, *, waits: bool,
    ) -> ProcessVersion:
        added = ProcessVersion(
            key=key, name=name, version=(rows[-1].version if rows else 0) + 1, base_version=base,
            content_hash=bundle.content_hash, bundle=bundle.pack(), origin=origin, reason=reason,
            deployed_by=actor.name, consented_by=None, deployed_at=self.clock.now(),
            state="awaiting_consent" if waits else "deployed", answered_at=None, answer="",
        )
        tx.add(added)
        return added

    def _to_consent(self, session: Session, key: str, version: int, actor: Actor) -> ProcessVersion:
        """The version that the actor may consent to, or has consented to."""
        row = _row(session, key, version)
        if row.state == "deployed" and row.consented_by == actor.name:
            return row
        if row.state != "awaiting_consent":
            raise Conflict(_no_longer_waits(row), row.consented_by)
        if self.consent_needed and actor.name.casefold() in _makers(session, row):
            raise OwnVersion(f"You made version {version} of {row.name} yourself: another analyst or an administrator "
                             "must consent to it.")
        newest = session.execute(
            select(func.max(ProcessVersion.version)).where(
                ProcessVersion.key == key, ProcessVersion.state == "deployed")
        ).scalar_one()
        if newest != row.base_version:
            raise StaleBase(
                f"Version {version} of {row.name} was made on {_called(row.base_version)}, but version {newest} was "
                f"deployed meanwhile. Return it; then make the change on version {newest} and ask again.",
                base=row.base_version, newest=newest,
            )
        return row


def _makers(session: Session, row: ProcessVersion) -> set[str]:
    """Who asked for consent and all who changed the draft, in lower case: a name in capitals is the same person's."""
    drafts = session.scalars(select(Draft.editors).where(Draft.key == row.key, Draft.version == row.version))
    return {row.deployed_by.casefold(), *(name.casefold() for editors in drafts for name in editors.splitlines())}


def _require_fit(findings: Sequence[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise CannotDeploy(errors)


def required(text: str, field: str, advice: str) -> str:
    """The text without spaces around it. InvalidForm when nothing is left, or too much."""
    if not text.strip():
        raise InvalidForm([FieldError(f"/{field}", advice)])
    return limited(text, field)


def limited(text: str, field: str, longest: int = LONGEST_REASON) -> str:
    """The text without spaces around it. InvalidForm when it is too long to be kept."""
    if len(text.strip()) > longest or "\0" in text:
        raise InvalidForm([FieldError(f"/{field}", f"At most {longest:,} characters, and no NUL.")])
    return text.strip()


def missing_process(key: str) -> Finding:
    """That a change of a process has lost the process itself."""
    return Finding(
        "bundle", None, None, None, "process-missing",
        f"No diagram holds the process {key} as one that stands for itself.",
        f"Give a process the id {key}, and let no other one call it or name it as its cancellation.",
    )


def _rows(tx: Session, key: str) -> list[Any]:
    """What is known of all versions of a process, oldest first, without their bundles."""
    v = ProcessVersion
    return list(tx.execute(
        select(v.version, v.base_version, v.content_hash, v.origin, v.state).where(v.key == key).order_by(v.version)
    ))


def _row(session: Session, key: str, version: int) -> ProcessVersion:
    row = session.scalars(
        select(ProcessVersion).where(ProcessVersion.key == key, ProcessVersion.version == version)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no version {version} of {key}.")
    return row


def _newest(session: Session, key: str) -> ProcessVersion:
    return session.scalars(
        select(ProcessVersion).where(ProcessVersion.key == key, ProcessVersion.state == "deployed")
        .order_by(ProcessVersion.version.desc()).limit(1)
    ).one()


def _no_longer_waits(row: ProcessVersion) -> str:
    if row.state == "returned":
        return (f"{row.consented_by} has returned version {row.version} of {row.name}: “{row.answer}”. Change the "
                "draft and ask again.")
    by = f" with {row.consented_by}'s consent" if row.consented_by else ""
    return f"Version {row.version} of {row.name} is deployed already{by}."


def _called(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _stale(key: str, name: str, base: int | None, newest: int | None) -> StaleBase:
    if base is None:
        return StaleBase(
            f"{name} ({key}) is deployed already, as version {newest}, and this change names no version it was made "
            f"on. Open version {newest}, or send base_version {newest}.", newest=newest,
        )
    return StaleBase(
        f"{name} ({key}): this change was made on version {base}, but version {newest} is the newest. Take over what "
        f"version {newest} changed, then ask again on top of it.", base=base, newest=newest,
    )


def _stale_folder(key: str, name: str, base: int | None, newest: int | None) -> StaleBase:
    return StaleBase(
        f"{name} ({key}): the folder was changed on {_called(base)}, but version {newest} is the newest. Keep the "
        f"changed files elsewhere, write version {newest} into the folder (waybill processes export {key} --overwrite),"
        f" and make the change there again.", base=base, newest=newest,
    )


def _view(row: ProcessVersion, live: int) -> VersionView:
    return VersionView(
        key=row.key, name=row.name, version=row.version, base_version=row.base_version,
        content_hash=row.content_hash, origin=row.origin, reason=row.reason, deployed_by=row.deployed_by,
        consented_by=row.consented_by if row.state == "deployed" else None, deployed_at=row.deployed_at,
        open_instances=live, state=row.state,  # type: ignore[arg-type]
        answered_at=row.answered_at, answered_by=row.consented_by, answer=row.answer,
    )
