"""The champion is asked about the challenger's validation split, without what it was trained on."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import keras
import numpy as np
import pytest
from PIL import Image

from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.evaluate.champion import ask, score_champion
from dermaflow_jobs.evaluate.predictions import Predictions, predict_records
from dermaflow_jobs.evaluate.worker import EvaluateWorker
from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.shards import local_shards

SIZE = 40


def network(path, *, size=SIZE, classes):
    """It sees how red, green and blue the middle is."""
    image = keras.Input((size, size, 3), name="image")
    middle = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(size // 4)(image))
    dense = keras.layers.Dense(3)
    logits = dense(middle)
    dense.set_weights([np.eye(3) / 40, np.zeros(3)])
    info = ModelInfo(
        architecture="small_cnn", classes=classes, image_size=size, temperature=1.0, eight_views=False,
        colour_constancy=False, synthetic=True, run_key="old", dataset_id="theirs", code_id="c",
    )  # fmt: skip
    save_model(as_classifier(keras.Model(image, logits)), path, info)
    return path


def table(store, key, rows):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["key", "class", "split", "pixel_sha256"])
    writer.writerows(rows)
    store.put_bytes(key, out.getvalue().encode())


@pytest.fixture
def worker(store, manifest, make_run):
    """The champion's dataset has three of our images: one in training by its key, one by its pixels, one held out."""
    ours = [(f"raw/{name}.jpg", "melanoma", "valid", f"pixels-{name}") for name in valid_names()]
    table(store, manifest.images_key, ours)
    theirs = manifest.model_copy(update={"dataset_id": "theirs", "images_key": "dermaflow/theirs.csv"})
    store.put(store.layout.dataset_manifest("theirs"), theirs)
    known = [(ours[0][0], "melanoma", "train", "changed since"), ("raw/moved.jpg", "melanoma", "train", ours[1][3])]
    table(store, theirs.images_key, [*known, (ours[2][0], "melanoma", "valid", ours[2][3])])
    yield EvaluateWorker(make_run("challenger"), store, manifest, ("valid",))
    store.delete(store.layout.champion())


def valid_names():
    return [f"melanoma/melanoma-valid-{n:03d}" for n in range(6)]


@pytest.fixture
def challenger(store, manifest, tmp_path) -> Predictions:
    model = keras.saving.load_model(network(tmp_path / "challenger.keras", classes=manifest.classes), compile=False)
    parts = [predict_records(model, [p], SIZE) for p in local_shards(store, manifest, "valid", tmp_path)]
    return Predictions.concatenate(parts)


def crown(store, path, **changes):
    store.upload(str(path), "dermaflow/models/kept/old-1/model.keras")
    champion = Champion(
        number=3, run_key="old", dataset_id="theirs", model_id="old-1",
        model_key="dermaflow/models/kept/old-1/model.keras", mean_auc=0.7, valid_images=20, synthetic=True,
        crowned_at=datetime.now(UTC), **changes,
    )  # fmt: skip
    store.put(store.layout.champion(), champion)
    return champion


def progress(worker):
    return ProgressReporter(worker.store, worker.run_key, "evaluate")


def test_it_answers_for_every_image_that_it_was_not_trained_on(worker, store, manifest, challenger, tmp_path):
    """What it knows by key or by pixels is left out; the table is like the challenger's own."""
    crown(store, network(tmp_path / "c.keras", classes=manifest.classes))
    assert score_champion(worker, challenger, tmp_path, progress(worker))
    body = store.get_bytes(store.layout.champion_predictions("challenger", "old-1")).decode()
    rows = {row["key"]: row for row in csv.DictReader(io.StringIO(body))}
    left_out = {f"raw/{name}.jpg" for name in valid_names()[:2]}
    assert set(rows) == set(challenger.keys) - left_out
    for key, p in zip(challenger.keys, challenger.probabilities, strict=True):
        if key in rows:
            assert [float(rows[key][name]) for name in manifest.classes] == pytest.approx(p.tolist(), abs=1e-5)


def test_what_belongs_together_with_a_training_image_is_left_out_as_well(worker, store, manifest, challenger, tmp_path):
    """The same lesion photographed twice."""
    champion = crown(store, network(tmp_path / "c.keras", classes=manifest.classes))
    groups = challenger.groups.copy().astype("<U9")
    groups[[0, 5, 12]] = "lesion-1"
    grouped = Predictions(**{**vars(challenger), "groups": groups})
    assert challenger.keys[0] == f"raw/{valid_names()[0]}.jpg"
    answers = ask(worker, champion, grouped, tmp_path, progress(worker))
    assert set(challenger.keys) - set(answers.keys) == set(challenger.keys[[0, 1, 5, 12]])


def test_a_champion_of_another_image_size_sees_the_files_anew(worker, store, manifest, challenger, tmp_path):
    """Decoded as it learned them; a file that is gone since ends nothing."""
    champion = crown(store, network(tmp_path / "c.keras", size=64, classes=manifest.classes))
    for key in challenger.keys:
        out = io.BytesIO()
        Image.new("RGB", (90, 70), (200, 40, 40)).save(out, "PNG")
        store.put_bytes(str(key), out.getvalue() if key != challenger.keys[7] else b"broken")
    answers = ask(worker, champion, challenger, tmp_path, progress(worker))
    assert len(answers) == len(challenger) - 3
    assert (answers.probabilities.argmax(axis=1) == 0).all()
    assert answers.probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("harm", ["other classes", "no model", "no dataset"])
def test_a_champion_that_cannot_be_asked_ends_no_run(worker, store, manifest, challenger, tmp_path, harm):
    """There is no table then, and promotion says so."""
    classes = ("a", "b", "c") if harm == "other classes" else manifest.classes
    champion = crown(store, network(tmp_path / "c.keras", classes=classes))
    store.delete(store.layout.champion_predictions("challenger", "old-1"))
    if harm == "no model":
        store.delete(champion.model_key)
    if harm == "no dataset":
        store.delete(store.layout.dataset_manifest("theirs"))
    assert not score_champion(worker, challenger, tmp_path, progress(worker))
    assert not store.exists(store.layout.champion_predictions("challenger", "old-1"))


def test_without_a_champion_nobody_is_asked(worker, challenger, tmp_path):
    assert not score_champion(worker, challenger, tmp_path, progress(worker))
