"""One model, or several whose probabilities are averaged."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from scipy.special import softmax

from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.models.saved import ModelFileError, ModelInfo, load_model
from dermaflow_jobs.runtime.s3 import Store


@dataclass(frozen=True)
class Ensemble:
    models: tuple[keras.Model, ...]
    info: ModelInfo
    """The first model's: the others were checked to have the same classes and image size."""

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(images, classes) for uint8 (images, size, size, 3)."""
        each = [np.asarray(model.predict_on_batch(images.astype(np.float32)), np.float64) for model in self.models]
        return np.asarray(np.mean(each, axis=0))

    def one_view(self, images: np.ndarray) -> np.ndarray:
        """As `probabilities`, but without flips and turns, where an eighth of the work is good enough."""
        each = []
        for model in self.models:
            network = next(layer for layer in model.layers if isinstance(layer, keras.Model))
            temperature = model.get_layer("temperature")
            logits = network.predict_on_batch(images.astype(np.float32)) * temperature.scale
            each.append(softmax(np.asarray(logits, np.float64), axis=1))
        return np.asarray(np.mean(each, axis=0))


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
