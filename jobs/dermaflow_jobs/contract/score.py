"""Scoring new images by the champion: what is asked for, and `score.json`, what came of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.options import ClusterOptions
from dermaflow_jobs.contract.options.field import option

ImagesPrefix = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.=-]*/)+$", max_length=200)]
OWN_FOLDERS = ("cache/", "code/", "datasets/", "ledger/", "logs/", "models/", "runs/", "scores/")
"""Below the storage root, where the project itself writes: there are no new images."""


class ScoreOptions(Value):
    """Which images, and from when on they count as different from those that the model learned from."""

    images: ImagesPrefix = option(
        "incoming/",
        "New images",
        "Every image below this folder of the storage root is scored; whatever folders there are below it.",
    )
    drift_threshold: float = option(
        0.25,
        "Drift threshold",
        "Population stability index above which a statistic of the images, or of the model's answers, has drifted:"
        " below 0.1 is commonly read as no change, above 0.25 as a considerable one.",
        gt=0,
        le=10,
    )
    announce_drift: bool = option(
        False,
        "Announce drift",
        "Where something has drifted, raise the raw-data asset, which starts the DAGs that wait for it.",
    )

    @model_validator(mode="after")
    def _not_our_own(self) -> ScoreOptions:
        if self.images.startswith(OWN_FOLDERS):
            raise ValueError(f"images = {self.images}: the project itself writes there; new images have another folder")
        return self


class ScoringOptions(Value):
    """All that a user may choose of a scoring run."""

    score: ScoreOptions = ScoreOptions()
    cluster: ClusterOptions = ClusterOptions()


class ScoreTask(Value):
    options: ScoreOptions
    champion: Champion
    """As it was when the run began: a promotion meanwhile changes nothing."""


class Drift(Value):
    """One statistic of the new images against the validation split of the champion's dataset."""

    name: str
    reference_mean: float
    mean: float
    psi: float
    """Population stability index over the bins below."""
    noise: float
    """What an index of a report exceeds by chance, with this many images, in one report of a thousand."""
    edges: tuple[float, ...]
    """Between the bins: tenths of the reference."""
    reference_shares: tuple[float, ...]
    shares: tuple[float, ...]

    def is_above(self, threshold: float) -> bool:
        """Large, and larger than chance makes it: of few images the index is large for no reason."""
        return self.psi > max(threshold, self.noise)


class ScoreManifest(Value):
    version: Literal[1] = 1
    score_id: str
    images_prefix: str
    model_key: str
    model_etag: str
    run_key: str
    """Of the model."""
    dataset_id: str
    classes: tuple[str, ...]
    synthetic_model: bool
    listed: int
    """Objects below the prefix: images scored plus failures."""
    images: int
    synthetic_images: int
    failures: dict[str, int] = Field(default_factory=dict)
    """Reason → objects."""
    predicted: dict[str, int]
    """Class → images that the model names so."""
    drift: tuple[Drift, ...]
    """Largest index first."""
    reference_images: int
    predictions_key: str
    failures_key: str
    created_at: AwareDatetime
