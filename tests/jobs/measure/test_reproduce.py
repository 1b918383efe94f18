"""reproduce's parts on a few drawn images: grouping, folds, scores, going on where it was stopped."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.measure import reproduce
from dermaflow_jobs.measure.local_dataset import read_folder

TINY = reproduce.Recipe("tiny", 32, TrainOptions(epochs=2, samples_per_class=16, batch_size=8, networks=2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes, dark and light; ten images each to train on, four to validate on; one of them a near-copy."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, count in (("train", 10), ("valid", 4)):
        for shade, label in ((60, "dark"), (180, "light")):
            place = root / split / label
            place.mkdir(parents=True)
            for index in range(count):
                noise = rng.normal(shade, 40, (16, 16, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC).save(place / f"{split}{index}.png")
    Image.open(root / "train/dark/train0.png").save(root / "train/dark/copy.jpg", quality=92)
    return root


def test_a_folder_is_read_with_its_splits_and_copies_share_a_group(folder):
    dataset = read_folder(folder, 32)
    assert dataset.classes == ("dark", "light")
    assert (len(dataset.rows("train")), len(dataset.rows("valid"))) == (21, 8)
    groups = dataset.groups()
    copy, original = (next(i for i, one in enumerate(dataset.images) if one.image_id == name and one.label == 0)
                      for name in ("copy", "train0"))  # fmt: skip
    assert groups[copy] == groups[original]
    assert len(set(groups)) == 28


def test_age_and_sex_come_from_the_folder_s_table_where_it_has_them(folder, tmp_path):
    """Of one image it knows both, of another neither."""
    shutil.copytree(folder, tmp_path / "images")
    (tmp_path / "images/labels.csv").write_text("image_id,age_approximate,sex\ntrain3,45,female\ntrain4,unknown,\n")
    records = {one.image_id: one.record for one in read_folder(tmp_path / "images", 32).images if one.label == 0}
    known, unknown = (tf.train.Example.FromString(records[name]).features.feature for name in ("train3", "train4"))
    assert known["age"].float_list.value[0] == 45
    assert known["sex"].bytes_list.value[0] == b"female"
    assert not {"age", "sex"} & set(unknown)


def test_scores_come_with_intervals_and_finished_folds_are_not_fitted_again(folder, tmp_path, monkeypatch):
    """Easy classes are told apart in every fold; then nothing is left to fit."""
    monkeypatch.setitem(reproduce.RECIPES, "short", TINY)
    out = tmp_path / "reproduce.json"
    arguments = ["--data", str(folder / "train"), "--recipes", "short", "--folds", "2", "--out", str(out)]
    reproduce.main(arguments)
    found = json.loads(out.read_text())["tiny"]
    assert found["cross_validation"]["images"] == 21
    value, low, high = found["cross_validation"]["mean_auc"]
    assert 0.8 < value <= 1
    assert low <= value <= high

    assert len(list((tmp_path / "reproduce").glob("*.npz"))) == 4, "two folds of two networks"
    table = (tmp_path / "reproduce/tiny.csv").read_text().splitlines()
    assert len(table) == 1 + 21
    assert "copy,dark/copy.jpg,,dark," in "\n".join(table)

    def never(*_: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr(reproduce, "_fit", never)
    reproduce.main(arguments)
    assert json.loads(out.read_text())["tiny"]["cross_validation"] == found["cross_validation"]
