"""One model, or several whose probabilities are averaged."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.models.details import unknown
from dermaflow_jobs.models.registry import single_view, takes_details, with_details
from dermaflow_jobs.models.saved import ModelFileError, ModelInfo, load_model
from dermaflow_jobs.runtime.s3 import Store


@dataclass(frozen=True)
class Ensemble:
    models: tuple[keras.Model, ...]
    info: ModelInfo
    """The first model's: the others were checked to have the same classes and image size."""

    def probabilities(self, images: np.ndarray, details: np.ndarray | None = None) -> np.ndarray:
        """(images, classes) for uint8 (images, size, size, 3); `details` as `models.details.encode` gives them."""
        return _mean(self.models, images, details)

    @cached_property
    def single_view(self) -> tuple[keras.Model, ...]:
        return tuple(single_view(model) for model in self.models)

    def one_view(self, images: np.ndarray, details: np.ndarray | None = None) -> np.ndarray:
        """As `probabilities`, but without flips and turns, where an eighth of the work is good enough."""
        return _mean(self.single_view, images, details)


def _mean(models: Sequence[keras.Model], images: np.ndarray, details: np.ndarray | None) -> np.ndarray:
    floats = images.astype(np.float32)
    beside = unknown(len(images)) if details is None else details.astype(np.float32)
    each = [model.predict_on_batch(with_details(floats, beside if takes_details(model) else None)) for model in models]
    return np.asarray(np.mean([np.asarray(one, np.float64) for one in each], axis=0))


def load_ensemble(sources: Sequence[str]) -> Ensemble:
    """From local paths or `s3://…` URIs. Raises ModelFileError or StorageError."""
    loaded = [_load(source) for source in sources]
    first = loaded[0][1]
    for source, (_, info) in zip(sources, loaded, strict=True):
        if (info.classes, info.image_size) != (first.classes, first.image_size):
            raise ModelFileError(
                f"{source} knows {', '.join(info.classes)} at {info.image_size} px,"
                f" {sources[0]} {', '.join(first.classes)} at {first.image_size} px",
                remedy="Average only models of the same classes and image size.",
            )
    return Ensemble(tuple(model for model, _ in loaded), first)


def _load(source: str) -> tuple[keras.Model, ModelInfo]:
    if not source.startswith("s3://"):
        path = Path(source)
        if not path.is_file():
            raise ModelFileError(f"{source}: no such file", remedy="Give the path or s3:// URI of a model.keras.")
        return load_model(path)
    bucket, _, key = source.removeprefix("s3://").partition("/")
    with tempfile.TemporaryDirectory(prefix="dermaflow-predict-") as folder:
        path = Path(folder) / "model.keras"
        Store(Layout(bucket, "")).download(key, str(path))
        return load_model(path)
