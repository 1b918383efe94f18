"""Networks by the names that `TrainOptions.model` knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dermaflow_jobs.models import backbones, efficientnet_lite0, seed_cnn, small_cnn
from dermaflow_jobs.models.augment import GENTLE, STRONG, AugmentRanges
from dermaflow_jobs.models.details import WIDTH, add_details
from dermaflow_jobs.runtime.errors import JobError

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

Build = Callable[[int, int, Path | None], "keras.Model"]


def _with_own_weights(build: Callable[[int, int], keras.Model]) -> Build:
    return lambda image_size, classes, _: build(image_size, classes)


@dataclass(frozen=True)
class Architecture:
    """`build(image_size, classes, weights)` gives a model from RGB (batch, size, size, 3) in 0…255 to
    logits; its last layer is called `logits`.

    `weights`: a file, for those that do not bring their own.
    """

    build: Build
    min_size: int
    """Smallest image side in pixels that every layer still has something to see of."""
    augmentation: AugmentRanges


ARCHITECTURES = MappingProxyType(
    {
        "seed_cnn": Architecture(_with_own_weights(seed_cnn.build), seed_cnn.MIN_SIZE, GENTLE),
        "small_cnn": Architecture(_with_own_weights(small_cnn.build), small_cnn.MIN_SIZE, GENTLE),
        "efficientnet_lite0": Architecture(
            _with_own_weights(efficientnet_lite0.build), efficientnet_lite0.MIN_SIZE, STRONG
        ),
        **{name: Architecture(backbones.builder(name), backbones.min_size(name), STRONG) for name in backbones.NAMES},
    }
)


SECOND_CROP = 0.7
"""Side of the middle that a second crop shows, relative to the image: about as far as STRONG augmentation zooms in."""


@dataclass(frozen=True)
class Design:
    """What a network is built from."""

    name: str
    image_size: int
    classes: int
    weights: Path | None = None
    frozen_share: float = 0.0
    use_age_sex: bool = False


def check_image_size(name: str, image_size: int) -> None:
    """Raises JobError where images are too small for the network."""
    smallest = ARCHITECTURES[name].min_size
    if image_size < smallest:
        raise JobError(
            f"image_size = {image_size}: too small for {name}, which needs at least {smallest} px",
            remedy=f"Preprocess with image_size = {smallest} or more, or choose another model.",
        )


def build_logits(design: Design, *, mixed_precision: bool = False) -> keras.Model:
    """Before training; random weights come from Keras's global seed.

    Raises JobError where images are too small, WeightsError where weights do not fit.
    """
    check_image_size(design.name, design.image_size)
    with _precision("mixed_bfloat16" if mixed_precision else "float32"):
        build = ARCHITECTURES[design.name].build
        network = build(design.image_size, design.classes, design.weights)
        network = add_details(network) if design.use_age_sex else network
    _freeze(network, design.frozen_share)
    return network


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _freeze(network: keras.Model, share: float) -> None:
    """The first `share` of the layers that have weights keep theirs, batch statistics included."""
    layers = [layer for layer in leaves(network) if layer.weights]
    for layer in layers[: round(share * len(layers))]:
        layer.trainable = False


def leaves(network: keras.Model) -> Iterator[keras.Layer]:
    """Its layers, and those of the networks among them."""
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def as_classifier(
    *networks: keras.Model,
    temperature: float = 1.0,
    eight_views: bool = False,
    second_crop: bool = False,
    name: str = "classifier",
) -> keras.Model:
    """The finished model, sharing the networks' weights: softmax(mean of logits / temperature).

    With eight views, logits are also the mean over the image's flips and quarter turns, for dermoscopy has no up; with
    a second crop, over the whole image and its middle.
    """
    import keras

    if len(networks) > 1:  # a model's parts must not share a name
        networks = tuple(keras.Model(one.input, one.output, name=f"network_{i}") for i, one in enumerate(networks))
    image = keras.Input(_image_shape(networks[0]), name="image")
    details = keras.Input((WIDTH,), name="details") if takes_details(networks[0]) else None
    crops = [image, _middle(image)] if second_crop else [image]
    views = [view for crop in crops for view in (_dihedral(crop) if eight_views else [crop])]
    each = [network(with_details(view, details)) for network in networks for view in views]
    logits = keras.layers.Average(name="mean_of_views")(each) if len(each) > 1 else each[0]
    scaled = keras.layers.Rescaling(1.0 / temperature, name="temperature", dtype="float32")(logits)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(scaled)
    return keras.Model(with_details(image, details), probabilities, name=name)


def single_view(classifier: keras.Model) -> keras.Model:
    """The classifier without its flips and turns: an eighth of the work, where that is good enough."""
    import keras

    networks = [layer for layer in classifier.layers if isinstance(layer, keras.Model)]
    return as_classifier(*networks, temperature=1.0 / classifier.get_layer("temperature").scale)


def takes_details(network: keras.Model) -> bool:
    return isinstance(network.input, dict)


def with_details(image: KerasTensor, details: KerasTensor | None) -> KerasTensor | dict[str, KerasTensor]:
    """A network's input."""
    return image if details is None else {"image": image, "details": details}


def _image_shape(network: keras.Model) -> Sequence[int]:
    shape: Sequence[int] = (network.input["image"] if takes_details(network) else network.input).shape[1:]
    return shape


def _middle(image: KerasTensor) -> KerasTensor:
    from keras import ops

    size = image.shape[1]
    side = round(SECOND_CROP * size)
    first = (size - side) // 2
    return ops.image.resize(image[:, first : first + side, first : first + side], (size, size))


def _dihedral(image: KerasTensor) -> list[KerasTensor]:
    from keras import ops

    upright = [image, ops.transpose(image, (0, 2, 1, 3))]
    return [ops.flip(view, axis=axes) for view in upright for axes in ((), (1,), (2,), (1, 2))]
