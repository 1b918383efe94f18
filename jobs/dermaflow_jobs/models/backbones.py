"""Networks of `keras.applications`, with weights from a file: on a cluster nothing is downloaded from Keras.

What such a file is: `keras.applications` names it in its sources (`…_notop.h5`), and `Model.save_weights` of the
network without its top makes one (`….weights.h5`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from dermaflow_jobs.contract.options.backbones import SMALLEST_IMAGE, Backbone
from dermaflow_jobs.models.torch_file import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    from keras import KerasTensor

NAMES: tuple[str, ...] = get_args(Backbone)

CENTRED = ("ResNet50V2", "ResNet101V2", "ResNet152V2", "Inception", "MobileNetV2", "NASNet", "Xception")
BLUE_FIRST = ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152")
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
BLUE_FIRST_MEAN = (103.939, 116.779, 123.68)


def min_size(name: str) -> int:
    return SMALLEST_IMAGE.get(name, 32)


def builder(name: str) -> Callable[[int, int, Path | None], keras.Model]:
    return partial(_build, name)


def _build(name: str, image_size: int, classes: int, weights: Path | None) -> keras.Model:
    """Raises WeightsError where the file does not fit the network."""
    from keras import Input, Model, applications, layers

    image = Input((image_size, image_size, 3), name="image")
    make = getattr(applications, name)
    backbone = make(include_top=False, weights=None, input_shape=(image_size, image_size, 3), pooling="avg")
    load(backbone, weights)
    logits = layers.Dense(classes, name="logits", dtype="float32")(backbone(preprocess(name, image)))
    return Model(image, logits, name=name.lower())


def load(backbone: keras.Model, weights: Path | None) -> None:
    """Raises WeightsError, also where no file is given: such a network from nothing is not what anybody wants."""
    if weights is None:
        raise WeightsError(f"{backbone.name} needs a file of weights", remedy="Set backbone_weights.")
    try:
        backbone.load_weights(weights)
    except Exception as error:  # Keras and h5py each raise their own
        raise WeightsError(
            f"{weights.name} does not fit {backbone.name}: {type(error).__name__}: {error}",
            remedy="Offer the file that keras.applications has for this network without its top.",
        ) from error


def preprocess(name: str, image: KerasTensor) -> KerasTensor:
    """0…255 to what the network learned from, as `keras.applications.….preprocess_input` does, in layers."""
    from keras import layers, ops

    if name.startswith(CENTRED) or name == "MobileNet":
        return layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    if name in BLUE_FIRST:
        return layers.Rescaling(1.0, offset=[-value for value in BLUE_FIRST_MEAN])(ops.flip(image, axis=-1))
    if name.startswith("DenseNet"):
        scale = [1 / (255 * deviation) for deviation in DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)]
        return layers.Rescaling(scale, offset=offset)(image)
    return image
