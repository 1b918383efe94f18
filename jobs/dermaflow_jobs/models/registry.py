"""Networks by the names that `TrainOptions.model` knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from dermaflow_jobs.models import efficientnet_lite0, seed_cnn, small_cnn
from dermaflow_jobs.runtime.errors import JobError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Architecture:
    """`build(image_size, classes, synchronized)` gives a model from RGB (batch, size, size, 3) in 0…255 to logits.

    `synchronized`: batch statistics are taken over all replicas, so that a batch means the same however it is split.
    """

    build: Callable[[int, int, bool], keras.Model]
    min_size: int
    """Smallest image side in pixels that every layer still has something to see of."""


ARCHITECTURES = MappingProxyType(
    {
        "seed_cnn": Architecture(seed_cnn.build, seed_cnn.MIN_SIZE),
        "small_cnn": Architecture(small_cnn.build, small_cnn.MIN_SIZE),
        "efficientnet_lite0": Architecture(efficientnet_lite0.build, efficientnet_lite0.MIN_SIZE),
    }
)


def check_image_size(name: str, image_size: int) -> None:
    """Raises JobError where images are too small for the network."""
    smallest = ARCHITECTURES[name].min_size
    if image_size < smallest:
        raise JobError(
            f"image_size = {image_size}: too small for {name}, which needs at least {smallest} px",
            remedy=f"Preprocess with image_size = {smallest} or more, or choose another model.",
        )


def build_logits(name: str, *, image_size: int, classes: int, synchronized: bool = False) -> keras.Model:
    """Before training; random weights come from Keras's global seed. Raises JobError where images are too small."""
    check_image_size(name, image_size)
    return ARCHITECTURES[name].build(image_size, classes, synchronized)


def with_probabilities(logits: keras.Model, *, temperature: float = 1.0) -> keras.Model:
    """The same network, sharing its weights, that ends in calibrated class probabilities: softmax(logits / T)."""
    import keras

    scaled = keras.layers.Rescaling(1.0 / temperature, name="temperature", dtype="float32")(logits.output)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(scaled)
    return keras.Model(logits.input, probabilities, name=logits.name)
