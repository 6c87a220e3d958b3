"""Deploying bundles: checked, numbered, never changed, and refused on top of an older version than the newest."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.definitions import Bundle, main_processes, parse_bundle
from engine.errors import CannotDeploy, Finding, NotFound, StaleBase
from engine.lint import check
from engine.reads import Reads
from engine.store.tables import Instance, ProcessVersion
from engine.views import Actor, VersionView


class Deployment(Reads):
    """Check, deploy, versions."""

    def check(self, bundle: Bundle) -> list[Finding]:
        """Everything that speaks against deploying a bundle, and warnings."""
        return check(bundle.files, self.registry)

    def deploy(
        self, bundle: Bundle, actor: Actor, *, origin: str = "folder", reason: str = "",
        base_version: int | None = None, session: Session | None = None,
    ) -> list[VersionView]:
        """Deploys a bundle under each process that stands for itself; returns their newest versions.

        Content that is deployed already changes nothing. A folder's base is the version last deployed from it; an
        upload names its own. CannotDeploy: the linter refuses it. StaleBase: somebody has deployed a newer version.
        """
        errors = [finding for finding in self.check(bundle) if finding.severity == "error"]
        if errors:
            raise CannotDeploy(errors)
        diagrams, _ = parse_bundle(bundle)
        with self.transaction(session) as tx:
            for key in main_processes(diagrams):
                self._deploy(tx, key, diagrams[key].name, bundle, actor, origin, reason, base_version)
            tx.flush()
            return [self._newest(tx, key) for key in main_processes(diagrams)]

    def _deploy(
        self, tx: Session, key: str, name: str, bundle: Bundle, actor: Actor, origin: str, reason: str,
        base_version: int | None,
    ) -> None:
        rows = list(tx.execute(
            select(ProcessVersion.version, ProcessVersion.content_hash, ProcessVersion.origin)
            .where(ProcessVersion.key == key).order_by(ProcessVersion.version)
        ))
        if any(row.content_hash == bundle.content_hash for row in rows):
            return
        newest = rows[-1].version if rows else None
        base = base_version
        if origin == "folder" and base is None:
            base = max((row.version for row in rows if row.origin == "folder"), default=None)
        if base != newest:
            raise StaleBase(
                f"{name} ({key}): this change was made on version {base}, but version {newest} is the newest. "
                f"Take over what version {newest} changed, then deploy again."
            )
        tx.add(ProcessVersion(
            key=key, name=name, version=(newest or 0) + 1, base_version=base, content_hash=bundle.content_hash,
            bundle=bundle.pack(), origin=origin, reason=reason, deployed_by=actor.name, consented_by=None,
            deployed_at=self.clock.now(),
        ))

    def _newest(self, tx: Session, key: str) -> VersionView:
        row = tx.scalars(
            select(ProcessVersion).where(ProcessVersion.key == key).order_by(ProcessVersion.version.desc()).limit(1)
        ).one()
        return _view(row, 0)

    def versions(self, key: str | None = None) -> list[VersionView]:
        """Every deployed version, newest first, of one process or of all."""
        with self.reading() as session:
            live = dict(session.execute(
                select(Instance.version_id, func.count()).where(Instance.status.in_(("open", "cancelling")))
                .group_by(Instance.version_id)
            ).tuples().all())
            statement = select(ProcessVersion).order_by(ProcessVersion.key, ProcessVersion.version.desc())
            if key is not None:
                statement = statement.where(ProcessVersion.key == key)
            return [_view(row, live.get(row.id, 0)) for row in session.scalars(statement)]

    def bundle(self, key: str, version: int) -> Bundle:
        """The files of one deployed version. NotFound."""
        with self.reading() as session:
            data = session.execute(
                select(ProcessVersion.bundle).where(ProcessVersion.key == key, ProcessVersion.version == version)
            ).scalar_one_or_none()
        if data is None:
            raise NotFound(f"There is no version {version} of {key}.")
        return Bundle.unpack(data)


def _view(row: ProcessVersion, live: int) -> VersionView:
    return VersionView(
        key=row.key, name=row.name, version=row.version, base_version=row.base_version,
        content_hash=row.content_hash, origin=row.origin, reason=row.reason, deployed_by=row.deployed_by,
        consented_by=row.consented_by, deployed_at=row.deployed_at, open_instances=live,
    )
