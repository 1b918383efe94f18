"""Are there images of every class, and enough?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.checks.problem import Problem, excuse
from dermaflow_jobs.contract.dataset import SPLITS
from dermaflow_jobs.contract.s3_layout import Layout

LEAST_IMAGES: Final = 10
"""Of a class; with fewer a split may well get none."""
SUFFIXES: Final = (".jpg", ".jpeg", ".png")


def check_images(s3: Any, layout: Layout, classes: Sequence[str], until: datetime) -> tuple[int, list[Problem]]:
    """How many there are, told by their keys alone; what is inside them is preprocess's matter."""
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=layout.bucket, Prefix=layout.raw_prefix())
        keys = [item["Key"].removeprefix(layout.raw_prefix()) for page in pages for item in page.get("Contents", ())]
    except (ClientError, BotoCoreError) as error:
        excuse(error, layout.uri(layout.raw_prefix()))
        found = Problem(layout.uri(layout.raw_prefix()), f"cannot be listed: {error}", "allow s3:ListBucket on it")
        return 0, [found]
    counts = count_images(keys, until)
    return counts.total(), problems_with(counts, classes, layout, until)


def count_images(keys: Iterable[str], until: datetime) -> Counter[str]:
    """Class → images, from keys below raw/: `[dt=YYYY-MM-DD/][train|valid|test/]<class>/<image>`."""
    found = (class_of(key, until) for key in keys)
    return Counter(label for label in found if label)


def class_of(key: str, until: datetime) -> str | None:
    """None for what is no image, and for a day that the run does not see yet."""
    *folders, name = key.split("/")
    if not name.lower().endswith(SUFFIXES):
        return None
    if folders and folders[0].startswith("dt=") and not _seen(folders.pop(0), until):
        return None
    if len(folders) == 2 and folders[0] in SPLITS:
        folders.pop(0)
    return folders[0] if len(folders) == 1 else None


def _seen(folder: str, until: datetime) -> bool:
    try:
        return date.fromisoformat(folder.removeprefix("dt=")) <= until.date()
    except ValueError:
        return False


def problems_with(counts: Counter[str], classes: Sequence[str], layout: Layout, until: datetime) -> list[Problem]:
    raw = layout.uri(layout.raw_prefix())
    if not counts:
        return [
            Problem(
                raw,
                f"holds no images up to {until:%Y-%m-%d}",
                f"upload {' or '.join(SUFFIXES)} files to {raw}<class>/ for each of {', '.join(classes)}",
            )
        ]
    there = f"classes there: {', '.join(sorted(counts))}"
    problems = [
        Problem(f"{raw}{name}/", f"no images of class {name}; {there}", "upload some, or take it out of classes")
        for name in classes
        if not counts[name]
    ]
    problems += [
        Problem(
            f"{raw}{name}/",
            f"{counts[name]} images of class {name}, at least {LEAST_IMAGES} are needed",
            "upload more, or take it out of the param classes",
        )
        for name in classes
        if 0 < counts[name] < LEAST_IMAGES
    ]
    return problems
