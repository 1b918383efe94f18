"""Age and sex beside the image, as four numbers of which all are 0 where nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

WIDTH = 4
HIDDEN = 16
HIDE_SHARE = 0.1
"""Of the training images whose details are kept from the network, so that it can also answer without."""


def encode(ages: Any, female: Any, male: Any) -> KerasTensor:
    """(images, WIDTH) of years (NaN where not known) and of two truth values, each (images,)."""
    from keras import ops

    known = ops.logical_not(ops.isnan(ages))
    columns = [ops.where(known, ages / 100.0, 0.0), known, female, male]
    return ops.stack([ops.cast(column, "float32") for column in columns], axis=-1)


def hide(details: KerasTensor, draws: KerasTensor) -> KerasTensor:
    """`draws` (images,) uniform in [0, 1): nothing is known of those below HIDE_SHARE."""
    from keras import ops

    return details * ops.cast(draws >= HIDE_SHARE, "float32")[:, None]


def unknown(images: int) -> np.ndarray:
    return np.zeros((images, WIDTH), np.float32)


def add_details(network: keras.Model) -> keras.Model:
    """The same features of the image, and beside them what the details say; inputs `image` and `details`."""
    from keras import Input, Model, layers

    last = network.get_layer("logits")
    image, details = network.input, Input((WIDTH,), name="details")
    said = layers.Dense(HIDDEN, activation="relu", name="details_hidden")(details)
    features = layers.Concatenate(name="image_and_details")([last.input, said])
    logits = layers.Dense(last.units, name="logits", dtype="float32")(features)
    return Model({"image": image, "details": details}, logits, name=network.name)
