"""The networks, their files and the augmentation, each in Keras alone."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.contract.options.train import OwnModel
from dermaflow_jobs.models.augment import DRAWS, STRONG, augment
from dermaflow_jobs.models.registry import ARCHITECTURES, Design, as_classifier, build_logits
from dermaflow_jobs.models.saved import INFO_MEMBER, ModelFileError, ModelInfo, load_model, save_model
from dermaflow_jobs.runtime.errors import JobError

INFO = ModelInfo(
    architecture="small_cnn",
    classes=("a", "b", "c"),
    image_size=32,
    temperature=1.5,
    eight_views=False,
    colour_constancy=False,
    synthetic=True,
    run_key="r",
    dataset_id="d",
    code_id="c",
)


def test_the_registry_is_what_the_form_offers():
    assert set(ARCHITECTURES) == set(get_args(TrainOptions.model_fields["model"].annotation))


def test_seed_cnn_is_the_network_of_2021():
    """Two 3×3 convolutions of 128 filters, two dense layers of 256."""
    layers = build_logits(Design("seed_cnn", 100, 3)).layers
    assert [layer.filters for layer in layers if isinstance(layer, keras.layers.Conv2D)] == [128, 128]
    assert [layer.units for layer in layers if isinstance(layer, keras.layers.Dense)] == [256, 256, 3]


@pytest.mark.parametrize("name", get_args(OwnModel))
def test_images_too_small_for_the_network_are_refused(name):
    smallest = ARCHITECTURES[name].min_size
    assert build_logits(Design(name, smallest, 2)).output_shape == (None, 2)
    with pytest.raises(JobError, match=f"needs at least {smallest} px"):
        build_logits(Design(name, smallest - 1, 2))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, keras.Model]:
    path = tmp_path_factory.mktemp("model") / "model.keras"
    logits = build_logits(Design("small_cnn", 32, 3))
    save_model(as_classifier(logits, temperature=1.5), path, INFO)
    return path, logits


def test_a_saved_model_gives_calibrated_probabilities(saved):
    """softmax(logits / T), with classes and size from the file itself."""
    path, logits = saved
    model, info = load_model(path)
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    expected = keras.ops.softmax(logits(images) / 1.5)
    np.testing.assert_allclose(model(images), expected, atol=1e-5)
    assert info == INFO


def test_eight_views_make_the_answer_the_same_however_the_image_is_turned():
    model = as_classifier(build_logits(Design("small_cnn", 32, 3)), eight_views=True)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    for turned in (np.rot90(images, axes=(1, 2)), images[:, ::-1], images.transpose(0, 2, 1, 3)):
        np.testing.assert_allclose(model(turned), model(images), atol=1e-6)


def test_a_second_crop_is_the_middle_at_the_same_size_and_what_is_outside_counts_once():
    """The mean of the network's logits on the whole image and on 22 of its 32 pixels a side, enlarged."""
    network = build_logits(Design("small_cnn", 32, 3))
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    middle = keras.ops.image.resize(images[:, 5:27, 5:27], (32, 32))
    expected = keras.ops.softmax((network(images) + network(middle)) / 2)
    np.testing.assert_allclose(as_classifier(network, second_crop=True)(images), expected, atol=1e-5)
    turned = as_classifier(network, second_crop=True, eight_views=True)
    np.testing.assert_allclose(turned(np.rot90(images, axes=(1, 2))), turned(images), atol=1e-5)


def damage(path: Path, to: Path, how: str) -> None:
    body = path.read_bytes()
    if how == "truncated":
        to.write_bytes(body[: len(body) // 2])
    elif how == "bit flip":
        to.write_bytes(body[:5000] + bytes([body[5000] ^ 1]) + body[5001:])
    elif how == "pickle":
        to.write_bytes(b"\x80\x04\x95.")
    else:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(to, "w") as target:
            for name in source.namelist():
                if name != ("config.json" if how == "no config" else INFO_MEMBER):
                    target.writestr(name, source.read(name))


@pytest.mark.parametrize("how", ["truncated", "bit flip", "pickle", "no config", "no info"])
def test_a_file_that_is_no_model_of_ours_is_refused_with_a_reason(saved, tmp_path, how):
    damaged = tmp_path / "model.keras"
    damage(saved[0], damaged, how)
    with pytest.raises(ModelFileError, match=r"model\.keras"):
        load_model(damaged)


def test_a_model_that_brings_code_is_refused(tmp_path):
    """A Lambda layer holds marshalled Python: safe mode does not run it."""
    path = tmp_path / "model.keras"
    image = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Lambda(lambda x: x * 2)(image))
    save_model(keras.Model(image, pooled), path, INFO)
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_model(path)


def neutral(count: int) -> np.ndarray:
    """Draws that change nothing but, where set, what a test sets: middle of every range, no flip."""
    draws = np.full((count, DRAWS), 0.5, "float32")
    draws[:, 0] = 0.0
    return draws


STILL = replace(STRONG, zoom=(1.0, 1.0))


def test_augmentation_can_be_nothing_at_all():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    np.testing.assert_allclose(augment(images, neutral(2), STILL), images, atol=0.01)


@pytest.mark.parametrize(
    ("angle", "flip", "turned"), [(0.25, 0.5, 1), (0.5, 0.5, 2), (0.75, 0.5, -1), (0.0, 0.0, None)]
)
def test_quarter_turns_and_flips_are_exact(angle, flip, turned):
    images = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)
    draws = neutral(1)
    draws[:, 0], draws[:, 2] = angle, flip
    expected = images[:, :, ::-1] if turned is None else np.rot90(images, turned, axes=(1, 2))
    np.testing.assert_allclose(augment(images, draws, STILL), expected, atol=0.05)


def test_what_comes_from_outside_is_reflected_and_colours_stay_in_range():
    """Any draws of a uniform grey give that grey's brightness range and no border; noise stays within 0…255."""
    rng = np.random.default_rng(2)
    grey = np.full((8, 32, 32, 3), 100, np.uint8)
    draws = rng.uniform(size=(8, DRAWS)).astype("float32")
    result = np.asarray(augment(grey, draws, STRONG))
    assert np.ptp(result, axis=(1, 2)).max() < 0.01
    noise = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
    varied = np.asarray(augment(noise, draws, STRONG))
    assert varied.min() >= 0
    assert varied.max() <= 255


def test_a_corner_may_lie_one_side_beyond_the_border_and_no_further():
    """The image mirrored once, to its far side, is what is seen there."""
    images = np.random.default_rng(3).integers(0, 256, (1, 32, 32, 3), np.uint8)
    draws = neutral(1)
    draws[:, 1] = 1.0
    wide = np.pad(images, ((0, 0), (32, 32), (32, 32), (0, 0)), mode="symmetric")
    seen = np.asarray(augment(images, draws, replace(STILL, zoom=(1.0, 2.0))))
    middles = wide[0, 32 - 16 : 64 + 16].reshape(32, 2, 96, 3).mean(axis=1)[:, 16:80].reshape(32, 32, 2, 3).mean(axis=2)
    np.testing.assert_allclose(seen[0], middles, atol=0.1)
    with pytest.raises(ValueError, match=r"zoom to 2\.2 and shift 0\.05 reach 1\.11 sides beyond"):
        replace(STILL, zoom=(1.0, 2.2))


def test_saturation_zero_leaves_brightness():
    """A colour at saturation 0 is its own luma in all three channels."""
    image = np.tile(np.array([200, 100, 50], np.uint8), (1, 32, 32, 1))
    draws = neutral(1)
    draws[:, 7] = 0.0
    result = np.asarray(augment(image, draws, replace(STILL, saturation=1.0)))
    np.testing.assert_allclose(result, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=0.1)
