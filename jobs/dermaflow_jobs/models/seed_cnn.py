"""The network of the 2021 project: two 3×3 convolutions of 128 filters with pooling, two dense layers of 256."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

MIN_SIZE = 10


def build(image_size: int, classes: int) -> keras.Model:
    from keras import Input, Model, layers

    image = Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 255)(image)
    for _ in range(2):
        x = layers.Conv2D(128, 3, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(256, activation="relu")(x)
    return Model(image, layers.Dense(classes, name="logits", dtype="float32")(x), name="seed_cnn")
