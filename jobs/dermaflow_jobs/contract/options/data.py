"""Which images a run sees."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints, model_validator

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.field import option

DEFAULT_CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")

ClassName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class DataOptions(Value):
    """Which images."""

    classes: tuple[ClassName, ...] = option(
        DEFAULT_CLASSES, "Classes", "Folder names under raw/, one a class.", advanced=True, min_length=2, max_length=32
    )
    max_bad_share: float = option(
        0.05,
        "Unreadable images allowed",
        "Share of objects that may be unusable before preprocessing fails. Each is kept in the quarantine list.",
        unit="share",
        advanced=True,
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _classes_differ(self) -> DataOptions:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must differ from each other")
        return self
