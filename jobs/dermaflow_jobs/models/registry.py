"""Networks by the names that `TrainOptions.model` knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from dermaflow_jobs.models import efficientnet_lite0, seed_cnn, small_cnn
from dermaflow_jobs.models.augment import GENTLE, STRONG, AugmentRanges
from dermaflow_jobs.runtime.errors import JobError

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor


@dataclass(frozen=True)
class Architecture:
    """`build(image_size, classes, synchronized)` gives a model from RGB (batch, size, size, 3) in 0…255 to logits.

    `synchronized`: batch statistics are taken over all replicas, so that a batch means the same however it is split.
    """

    build: Callable[[int, int, bool], keras.Model]
    min_size: int
    """Smallest image side in pixels that every layer still has something to see of."""
    augmentation: AugmentRanges


ARCHITECTURES = MappingProxyType(
    {
        "seed_cnn": Architecture(seed_cnn.build, seed_cnn.MIN_SIZE, GENTLE),
        "small_cnn": Architecture(small_cnn.build, small_cnn.MIN_SIZE, GENTLE),
        "efficientnet_lite0": Architecture(efficientnet_lite0.build, efficientnet_lite0.MIN_SIZE, STRONG),
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


def as_classifier(network: keras.Model, *, temperature: float = 1.0, eight_views: bool = False) -> keras.Model:
    """The finished model, sharing the network's weights: softmax(logits / temperature).

    With eight views, logits are the mean over the image's flips and quarter turns; dermoscopy has no up.
    """
    import keras

    image = keras.Input(network.input_shape[1:], name="image")
    if eight_views:
        each = [network(view) for view in _dihedral(image)]
        logits = keras.layers.Average(name="mean_of_views")(each)
    else:
        logits = network(image)
    scaled = keras.layers.Rescaling(1.0 / temperature, name="temperature", dtype="float32")(logits)
    return keras.Model(image, keras.layers.Softmax(name="probabilities", dtype="float32")(scaled), name="classifier")


def _dihedral(image: KerasTensor) -> list[KerasTensor]:
    from keras import ops

    upright = [image, ops.transpose(image, (0, 2, 1, 3))]
    return [ops.flip(view, axis=axes) for view in upright for axes in ((), (1,), (2,), (1, 2))]
