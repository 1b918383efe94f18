"""Folds of the training split: who is in which, and the model and scores that come of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.metrics import History
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.models.saved import load_model
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.folds import split_folds, without
from dermaflow_jobs.train.shards import ClassFiles, download_split
from dermaflow_jobs.train.worker import TrainWorker

ALONE = Placement(0, ("localhost:1",))


def write(path, label: str, groups: list[str]) -> ClassFiles:
    """A record an image, of which only what names it matters."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, group in enumerate(groups):
            features = {"key": f"{label}/{number}", **({"group": group} if group else {})}
            named = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                for name, value in features.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString())
    return ClassFiles(label, (str(path),), len(groups), path.stat().st_size)


def records(files: ClassFiles) -> list[bytes]:
    return [record for path in files.paths for record in tf.data.TFRecordDataset(path).as_numpy_iterator()]


def test_every_image_is_in_one_fold_and_no_group_in_two(tmp_path):
    """Also where a group has images of two classes; classes are as even over the folds as their groups allow."""
    ones = write(tmp_path / "a.tfrecord", "a", ["p1", "p1", "p2", "p3", "p4", "", ""])
    others = write(tmp_path / "b.tfrecord", "b", ["p1", "p2", "", "", "", "", ""])
    parts = split_folds((ones, others), 3, tmp_path)
    assert [part.label for part in parts[0]] == ["a", "b"]
    for index, whole in enumerate((ones, others)):
        assert sorted(record for part in parts for record in records(part[index])) == sorted(records(whole))
    fold_of: dict[bytes, set[int]] = {}
    for fold, part in enumerate(parts):
        for record in [*records(part[0]), *records(part[1])]:
            feature = tf.train.Example.FromString(record).features.feature
            if "group" in feature:
                fold_of.setdefault(feature["group"].bytes_list.value[0], set()).add(fold)
    assert len(fold_of) == 4
    assert all(len(folds) == 1 for folds in fold_of.values())
    rest = without(parts, 0)
    assert rest[0].records == parts[1][0].records + parts[2][0].records == len(records(rest[0]))


def test_a_class_with_fewer_groups_than_folds_is_named(tmp_path):
    with pytest.raises(JobError, match="a has too few images, or groups of images, for folds = 3"):
        split_folds((write(tmp_path / "a.tfrecord", "a", ["p1", "p1", "p2"]),), 3, tmp_path)


def test_folds_become_one_model_and_a_score_of_images_not_seen(store, manifest, make_run):
    """The training split is scored whole, each image by the network that did not learn from it; the model is their
    mean, and what was finished is not trained again."""
    spec = make_run("folds", epochs=2, samples_per_class=64, batch_size=16, folds=2, eight_views=False)
    report = TrainWorker(spec, store, manifest)(ALONE)
    history = store.get(store.layout.history("folds"), History)
    assert (report.epochs, len(history.networks), len(history.epochs)) == (2, 2, 2)
    assert history.epochs[0].loss == pytest.approx(sum(fold.epochs[0].loss for fold in history.networks) / 2)
    scores = history.cross_validation
    assert scores.images == manifest.images("train")
    assert 0.6 < scores.mean_auc <= 1
    assert scores.intervals["mean_auc"].low <= scores.mean_auc
    again = TrainWorker(spec, store, manifest)(ALONE)
    assert again.images_per_second == 0
    assert store.get(store.layout.history("folds"), History).networks == history.networks


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"train": {"folds": 2, "networks": 2}}, "networks = 2 with folds = 2: choose one of them"),
        ({"train": {"networks": 2}, "sweep": {"sweep_trials": 2}}, "sweep_trials with networks = 2: search first"),
        ({"train": {"folds": 3}, "sweep": {"sweep_trials": 2}}, "sweep_trials with folds = 3: search first"),
    ],
)
def test_several_networks_come_of_one_option_and_never_of_a_trial(given, said):
    with pytest.raises(ContractError, match=said):
        RunOptions.parse(given)


def test_a_history_of_folds_is_read_as_it_was_written_once():
    """By the pages, of runs from before there were networks without folds."""
    one = History(epochs=(), best_epoch=0)
    text = History(epochs=(), best_epoch=0, networks=(one, one)).to_json()
    assert History.parse(text).networks == (one, one)
    assert History.parse(text.replace('"networks"', '"folds"')).networks == (one, one)


def test_networks_of_several_seeds_become_one_model(store, tmp_path, manifest, make_run):
    """The first is what one network alone would be; nothing is held out of the training split."""
    given = {"epochs": 1, "samples_per_class": 48, "batch_size": 16, "eight_views": False, "seed": 7}
    TrainWorker(make_run("several", networks=2, **given), store, manifest)(ALONE)
    TrainWorker(make_run("alone", **given), store, manifest)(ALONE)
    several, alone = (store.get(store.layout.history(key), History) for key in ("several", "alone"))
    first, second = several.networks
    assert first.epochs[0].loss == alone.epochs[0].loss != second.epochs[0].loss
    assert several.epochs[0].loss == pytest.approx((first.epochs[0].loss + second.epochs[0].loss) / 2)
    assert several.cross_validation is None
    store.download(store.layout.model("several"), str(tmp_path / "model.keras"))
    model, _ = load_model(tmp_path / "model.keras")
    assert sum(isinstance(layer, keras.Model) for layer in model.layers) == 2


def test_the_model_of_folds_answers_as_the_mean_of_its_networks(store, tmp_path, manifest):
    store.download(store.layout.model("folds"), str(tmp_path / "model.keras"))
    model, info = load_model(tmp_path / "model.keras")
    networks = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert len(networks) == 2
    images = np.random.default_rng(0).uniform(0, 255, (3, 40, 40, 3)).astype("float32")
    logits = sum(network(images) for network in networks) / 2
    np.testing.assert_allclose(model(images), keras.ops.softmax(logits / info.temperature), atol=1e-5)
    assert download_split(store, manifest, "valid", tmp_path)
