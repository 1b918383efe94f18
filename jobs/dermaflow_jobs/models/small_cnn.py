"""A small residual network that learns from nothing on a laptop's CPU.

It normalises over groups of channels within an image (Wu & He 2018), not over the batch: as good here, and a batch
means the same on one worker and on many without their having to talk in every layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

MIN_SIZE = 32
WIDTHS = (32, 48, 96, 192)
GROUPS = 8


def build(image_size: int, classes: int) -> keras.Model:
    from keras import Input, Model, layers

    image = Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = _convolve(x, WIDTHS[0], kernel=5, stride=4)
    for width in WIDTHS[1:]:
        x = _convolve(x, width, kernel=3, stride=2)
        x = layers.Add()([x, _convolve(x, width, kernel=3, stride=1)])
    x = layers.GlobalAveragePooling2D()(x)
    return Model(image, layers.Dense(classes, name="logits", dtype="float32")(x), name="small_cnn")


def _convolve(x: KerasTensor, width: int, *, kernel: int, stride: int) -> KerasTensor:
    from keras import layers

    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.GroupNormalization(GROUPS)(x))
