"""Age and sex beside the image."""

from __future__ import annotations

import keras
import numpy as np

from dermaflow_jobs.models.details import HIDE_SHARE, encode, hide, unknown
from dermaflow_jobs.models.registry import Design, as_classifier, build_logits
from dermaflow_jobs.models.saved import ModelInfo, load_model, save_model
from dermaflow_jobs.predict.ensemble import Ensemble

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)

INFO = ModelInfo(
    architecture="small_cnn",
    classes=("a", "b", "c"),
    image_size=32,
    temperature=1.5,
    eight_views=False,
    use_age_sex=True,
    colour_constancy=False,
    synthetic=True,
    run_key="r",
    dataset_id="d",
    code_id="c",
)


def test_what_is_not_known_is_nothing():
    """Years over a hundred, whether they are known, female, male."""
    ages, sexes = np.array([55, np.nan, 20], "float32"), np.array(["female", "", "male"])
    encoded = np.asarray(encode(ages, sexes == "female", sexes == "male"))
    np.testing.assert_allclose(encoded, [[0.55, 1, 1, 0], [0, 0, 0, 0], [0.2, 1, 0, 1]], atol=1e-6)
    hidden = np.asarray(hide(encoded[[0, 0]], np.array([HIDE_SHARE / 2, HIDE_SHARE], "float32")))
    np.testing.assert_array_equal(hidden, [np.zeros(4), encoded[0]])


def test_a_model_with_details_answers_with_and_without_them_also_from_its_file(tmp_path):
    """Through the file, as an ensemble; and the answer does depend on them."""
    network = build_logits(Design("small_cnn", 32, 3, use_age_sex=True))
    path = tmp_path / "model.keras"
    model = as_classifier(network, temperature=1.5)
    save_model(model, path, INFO)
    loaded, info = load_model(path)
    assert info.use_age_sex
    ensemble = Ensemble((loaded,), info)
    details = np.array([[0.8, 1, 0, 1], [0.2, 1, 1, 0]], "float32")
    told = ensemble.probabilities(IMAGES, details)
    np.testing.assert_allclose(told, model({"image": IMAGES.astype("float32"), "details": details}), atol=1e-5)
    untold = ensemble.probabilities(IMAGES)
    np.testing.assert_allclose(untold, ensemble.probabilities(IMAGES, unknown(2)), atol=1e-6)
    assert np.abs(told - untold).max() > 1e-4
    one = keras.ops.softmax(network({"image": IMAGES.astype("float32"), "details": details}) / 1.5)
    np.testing.assert_allclose(ensemble.one_view(IMAGES, details), one, atol=1e-5)
