"""What makes the step fail: each check raises JobError that says what, where, and what to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from dermaflow_jobs.contract.dataset import DatasetManifest, Split
from dermaflow_jobs.contract.options import DataOptions
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.preprocess.assembly import Assembly
from dermaflow_jobs.preprocess.listing import Listing
from dermaflow_jobs.preprocess.reasons import HARMLESS, Reason, Rejected
from dermaflow_jobs.runtime.errors import JobError

EXAMPLES = 5
_HARMLESS_VALUES = frozenset(reason.value for reason in HARMLESS)


def check_listing(listing: Listing, options: DataOptions, layout: Layout) -> None:
    """There are images, of every class."""
    where = layout.uri(layout.raw_prefix())
    present = Counter(image.label for image in listing.images)
    lacking = [label for label in options.classes if not present[label]]
    if not lacking:
        return
    others = sorted({one.key for one in listing.rejected if one.reason is Reason.UNKNOWN_CLASS})[:EXAMPLES]
    seen = f" Under no known class: {', '.join(others)}." if others else ""
    if len(lacking) == len(options.classes):
        raise JobError(
            f"no images under {where} for this run ({listing.listed} objects listed).{seen}",
            remedy=f"Upload images to {where}<class>/ with class one of {', '.join(options.classes)}; folders "
            "dt=YYYY-MM-DD count only up to the end of the run's data interval.",
        )
    raise JobError(
        f"no image of {', '.join(lacking)} under {where} (found {dict(present)}).{seen}",
        remedy=f"Upload some to {where}{lacking[0]}/, or take the class out of classes.",
    )


def check_rejected(rejected: Sequence[Rejected], listed: int, max_bad_share: float, layout: Layout) -> None:
    """Not more objects are unusable than the run allows; counts by reason, and the first few keys, if they are."""
    bad = [one for one in rejected if one.reason not in HARMLESS]
    if len(bad) <= max_bad_share * listed:
        return
    keys: dict[Reason, list[str]] = defaultdict(list)
    for one in bad:
        keys[one.reason].append(f"{layout.uri(one.key)}{f' ({one.detail})' if one.detail else ''}")
    lines = "".join(
        f"\n  {len(found)} {reason.value}: {', '.join(found[:EXAMPLES])}{', …' if len(found) > EXAMPLES else ''}"
        for reason, found in sorted(keys.items(), key=lambda item: -len(item[1]))
    )
    raise JobError(
        f"{len(bad)} of {listed} objects are unusable ({len(bad) / listed:.1%}), "
        f"more than max_bad_share = {max_bad_share:.1%}:{lines}",
        remedy="Repair or remove them, or raise max_bad_share if the rest is enough.",
    )


def check_quarantined(manifest: DatasetManifest, max_bad_share: float, layout: Layout) -> None:
    """The same of a dataset that another run has made, perhaps with another limit."""
    reasons = {name: count for name, count in manifest.quarantine_reasons.items() if name not in _HARMLESS_VALUES}
    bad = sum(reasons.values())
    if bad > max_bad_share * manifest.listed:
        raise JobError(
            f"dataset {manifest.dataset_id}: {bad} of {manifest.listed} objects are unusable "
            f"({bad / manifest.listed:.1%}), more than max_bad_share = {max_bad_share:.1%}: {reasons}",
            remedy=f"{layout.uri(manifest.quarantine_key)} lists them. Repair or remove them, or raise max_bad_share.",
        )


def check_classes(assembly: Assembly, classes: tuple[str, ...]) -> None:
    """Every class has an image to learn from, and there is something to validate on."""
    counts = Counter((one.split, one.image.label) for one in assembly.kept)
    lacking = [label for label in classes if not counts["train", label]]
    if lacking:
        raise JobError(
            f"no image of {', '.join(lacking)} is left for training (images per split and class: {_told(counts)})",
            remedy="Add images of that class, or lower valid_share and test_share.",
        )
    if not any(counts["valid", label] for label in classes):
        raise JobError(
            f"the validation split is empty (images per split and class: {_told(counts)})",
            remedy="Add images, raise valid_share, or choose another split_salt.",
        )


def _told(counts: Counter[tuple[Split, str]]) -> str:
    return ", ".join(f"{split} {label} {count}" for (split, label), count in sorted(counts.items(), key=str))
