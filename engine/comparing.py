"""What one version of a process has otherwise than another, or what a bundle that is not deployed yet would change."""

from __future__ import annotations

from engine.definitions import Bundle
from engine.deployment import Deployment
from engine.diff import Difference, compare


class Comparing(Deployment):
    """The comparison of versions."""

    def difference(self, key: str, old: int | Bundle, new: int | Bundle) -> Difference:
        """What `new` has otherwise than `old`; each a version's number or a bundle.

        NotFound: there is no such version. CannotDeploy: a bundle holds a file that cannot be read.
        """
        return compare(*(self.bundle(key, one) if isinstance(one, int) else one for one in (old, new)))
