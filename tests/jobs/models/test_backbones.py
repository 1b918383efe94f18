"""Networks of keras.applications with weights from a file, and what the form says of them."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

from dermaflow_jobs.models import backbones
from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.models.torch_file import WeightsError

SIZE = 32


def test_the_names_are_those_of_keras_applications():
    """All of them, but the smallest MobileNetV3 and the like that are no functions of their own."""
    there = {name for name, value in vars(keras.applications).items() if inspect.isfunction(value)}
    assert set(backbones.NAMES) == there


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """As `save_weights` writes them: of a MobileNetV2 without its top, whose values are not the initial ones."""
    keras.utils.set_random_seed(5)
    network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2.weights.h5"
    network.save_weights(path)
    return path, network


def test_a_backbone_is_fed_as_keras_feeds_it(weights):
    """The features under our logits are what the network itself says of `preprocess_input`."""
    path, network = weights
    built = build_logits(Design("MobileNetV2", SIZE, 3, weights=path))
    assert built.output_shape == (None, 3)
    images = np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3)).astype("float32")
    prepared = keras.applications.mobilenet_v2.preprocess_input(images.copy())
    expected = keras.ops.mean(network(prepared, training=False), axis=(1, 2))
    features = keras.Model(built.input, built.get_layer("logits").input)
    np.testing.assert_allclose(features(images, training=False), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ResNet50", "resnet50"), ("VGG16", "vgg16"), ("ResNet50V2", "resnet_v2"), ("DenseNet121", "densenet"),
        ("Xception", "xception"), ("InceptionV3", "inception_v3"), ("InceptionResNetV2", "inception_resnet_v2"),
        ("NASNetMobile", "nasnet"), ("MobileNet", "mobilenet"), ("MobileNetV3Small", "mobilenet_v3"),
        ("EfficientNetB0", "efficientnet"), ("EfficientNetV2B0", "efficientnet_v2"), ("ConvNeXtTiny", "convnext"),
    ],
)  # fmt: skip
def test_pixels_are_prepared_as_each_family_learned_them(name, module):
    images = np.random.default_rng(1).uniform(0, 255, (1, 4, 4, 3)).astype("float32")
    image = keras.Input((4, 4, 3))
    ours = keras.Model(image, backbones.preprocess(name, image))(images)
    theirs = getattr(keras.applications, module).preprocess_input(images.copy())
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_weights_that_do_not_fit_are_refused(weights, tmp_path):
    """Another network's, a damaged file, and none at all: each says what to offer instead."""
    damaged = tmp_path / "damaged.weights.h5"
    damaged.write_bytes(weights[0].read_bytes()[:5000])
    for name, path in (("MobileNet", weights[0]), ("MobileNetV2", damaged)):
        with pytest.raises(WeightsError, match=r"weights\.h5 does not fit") as caught:
            build_logits(Design(name, SIZE, 3, weights=path))
        assert "without its top" in caught.value.remedy
    with pytest.raises(WeightsError, match="needs a file of weights"):
        build_logits(Design("MobileNetV2", SIZE, 3))


def test_frozen_layers_are_the_first_and_batch_statistics_stand_still(weights):
    """Nothing of them is trained, and a training step leaves them as they were."""
    network = build_logits(Design("MobileNetV2", SIZE, 3, weights=weights[0], frozen_share=0.5))
    whole = build_logits(Design("MobileNetV2", SIZE, 3, weights=weights[0]))
    backbone = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    first = backbone.get_layer("bn_Conv1")
    assert not first.trainable
    assert backbone.get_layer("Conv_1").trainable
    assert len(network.trainable_variables) < 0.6 * len(whole.trainable_variables)
    before = [keras.ops.convert_to_numpy(value) for value in first.weights]
    network(np.full((2, SIZE, SIZE, 3), 200, "float32"), training=True)
    for old, new in zip(before, first.weights, strict=True):
        np.testing.assert_array_equal(old, new)
