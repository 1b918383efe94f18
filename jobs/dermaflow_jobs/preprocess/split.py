"""Which split an image belongs to: decided by content, stable as images are added, and never across a resemblance.

Images are placed in order of arrival. One that resembles an earlier image (same photograph, lesion or patient) joins
its split; any other is placed by a hash of its bytes. So no decision depends on a later image: adding images moves no
old one. An image that resembles earlier ones of different splits has no place and is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dermaflow_jobs.contract.dataset import Split


@dataclass(frozen=True)
class SplitRule:
    salt: str
    valid_share: float
    test_share: float

    def by_content(self, content_sha256: str) -> Split:
        """Test lies at the low end, so that another valid_share moves no image into or out of it."""
        digest = hashlib.sha256(f"{self.salt}:{content_sha256}".encode()).digest()
        at = int.from_bytes(digest[:8], "big") / 2**64
        if at < self.test_share:
            return "test"
        return "valid" if at < self.test_share + self.valid_share else "train"


def place(
    contents: Sequence[str], official: Sequence[Split | None], resembles: Mapping[int, Sequence[int]], rule: SplitRule
) -> list[Split | None]:
    """A split for every image, in order of arrival; None for one that would bridge two splits.

    `contents`: a hash of each. `resembles`: image → the earlier images that it resembles. An official split is
    always kept, even where it puts a pair on two sides.
    """
    placed: list[Split | None] = []
    for number, content in enumerate(contents):
        given = official[number]
        if given is not None:
            placed.append(given)
            continue
        kin = {placed[earlier] for earlier in resembles.get(number, ())} - {None}
        if len(kin) > 1:
            placed.append(None)
        else:
            placed.append(kin.pop() if kin else rule.by_content(content))
    return placed
