"""The loop and the sample sequence, on local files alone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.models.augment import STRONG
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train import samples
from dermaflow_jobs.train.background import LOWER
from dermaflow_jobs.train.held import hold
from dermaflow_jobs.train.loop import DivergedError, Training
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.samples import Share, training_batches
from dermaflow_jobs.train.shards import download_split
from dermaflow_jobs.train.step import check_classes

WHOLE = Share(0, 1)


@pytest.fixture(scope="module")
def files(store, manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    return {split: download_split(store, manifest, split, folder) for split in ("train", "valid")}


def draw(files, batches: int, *, first_sample: int = 0, share: Share = WHOLE, **options):
    given = {"image_size": 40, "seed": 7, "global_batch": 12, **options}
    dataset = training_batches(files["train"], first_sample=first_sample, share=share, **given)
    taken = list(dataset.take(batches).as_numpy_iterator())
    return np.concatenate([images for images, _ in taken]), np.concatenate([labels for _, labels in taken])


def test_classes_are_drawn_evenly_and_images_within_them_equally_often(files):
    """Whatever the classes' sizes, each has its share of every batch, and its images take turns in a new order."""
    images, labels = draw(files, 33)  # 132 draws a class
    assert (labels.reshape(33, 12, 3).sum(axis=1) == 4).all()
    for index, count in enumerate((22, 31, 13)):
        own = images[labels[:, index] == 1]
        times = Counter(image.tobytes() for image in own)
        assert len(times) == count
        assert set(times.values()) <= {132 // count, 132 // count + 1}
        rounds = [[image.tobytes() for image in own[i : i + count]] for i in (0, count)]
        assert rounds[0] != rounds[1]


def test_workers_share_one_sequence_that_can_be_entered_anywhere(files):
    """Two shares put together are the whole; and a start in the middle gives what would have come there."""
    images, labels = draw(files, 6, ranges=STRONG)
    halves = [draw(files, 6, ranges=STRONG, share=Share(i, 2))[0].reshape(6, 6, 40, 40, 3) for i in (0, 1)]
    np.testing.assert_allclose(np.concatenate(halves, axis=1).reshape(images.shape), images, atol=1e-3)
    later, later_labels = draw(files, 2, ranges=STRONG, first_sample=48)
    np.testing.assert_allclose(later, images[48:], atol=1e-3)
    assert (later_labels == labels[48:]).all()


def test_images_held_in_memory_come_in_the_order_of_those_that_are_read_each_time(files, monkeypatch):
    """So how large a dataset may be to be held is no part of a recipe."""
    assert hold(files["train"], 40, details=False, most_bytes=31 * 40 * 40 * 3)
    assert hold(files["train"], 40, details=False, most_bytes=31 * 40 * 40 * 3 - 1) is None
    held = draw(files, 9, first_sample=36)
    monkeypatch.setattr(samples, "hold", lambda *_, **__: None)
    for one, other in zip(held, draw(files, 9, first_sample=36), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_draw_is_augmented_anew(files):
    """The same image comes back different each round, unless augmentation is off."""
    plain, labels = draw(files, 20)
    varied, _ = draw(files, 20, ranges=STRONG)
    own = labels[:, 2] == 1
    assert len({image.tobytes() for image in plain[own]}) == 13
    assert len({image.tobytes() for image in varied[own]}) == own.sum()


@pytest.mark.parametrize("pixels", [1, 4 * 40**2, 5 * 40**2])
def test_how_many_images_are_augmented_at_a_time_changes_none(files, monkeypatch, pixels):
    """One, four, and four again where five would not divide a batch of twelve."""
    whole = draw(files, 3, ranges=STRONG)
    monkeypatch.setattr(samples, "GROUP_PIXELS", pixels)
    for one, other in zip(draw(files, 3, ranges=STRONG), whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread's priority is its own on Linux alone")
def test_the_input_pipeline_takes_what_the_step_leaves(files):
    """New threads of a lower priority do most of its work, whatever iterators this process had before."""
    problem = Problem(TrainOptions(batch_size=12), ("a", "b", "c"), 40, files["train"], files["valid"])
    training = Training(problem, Placement(0, ("localhost:1",)))
    before = niceness_and_time()
    batches = training.batches()
    for _ in range(20):
        next(batches)
    after = niceness_and_time()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    lowered = min(own + LOWER, 19)
    new = after.keys() - before.keys()
    spent = Counter({own: 0, lowered: 0})  # nanoseconds
    for thread in new:
        spent[after[thread][0]] += after[thread][1]
    assert spent[lowered] > 2 * spent[own]


def niceness_and_time() -> dict[str, tuple[int, int]]:
    """Of each thread of this process that did not end meanwhile: proc(5)."""
    found = {}
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            nice = int((thread / "stat").read_text().rpartition(")")[2].split()[16])
            found[thread.name] = (nice, int((thread / "schedstat").read_text().split()[0]))
    return found


def test_a_loss_that_is_no_number_says_what_to_do(files):
    options = TrainOptions.model_construct(**TrainOptions(samples_per_class=12, batch_size=12).model_dump())
    object.__setattr__(options, "learning_rate", 1e38)
    problem = Problem(options, ("a", "b", "c"), 40, files["train"], files["valid"])
    training = Training(problem, Placement(0, ("localhost:1",)))
    with pytest.raises(DivergedError, match="loss is nan in epoch") as caught:
        for _ in range(3):
            training.run_epoch(training.batches(), lambda *_: None)
    assert "learning_rate" in caught.value.remedy


def test_a_class_without_images_is_named(manifest: DatasetManifest):
    empty = manifest.model_copy(update={"counts": {**manifest.counts, "train": {"melanoma": 5, "nevus": 0}}})
    with pytest.raises(JobError, match="no image of nevus, seborrheic_keratosis in the train split"):
        check_classes(empty)
    unvalidated = manifest.model_copy(update={"counts": {**manifest.counts, "valid": {}}})
    with pytest.raises(JobError, match="valid split"):
        check_classes(unvalidated)


def test_shards_that_are_not_what_the_manifest_says_are_refused(store, manifest, tmp_path: Path):
    shard = manifest.shards[0].model_copy(update={"bytes": manifest.shards[0].bytes + 1})
    with pytest.raises(JobError, match="its manifest says"):
        download_split(store, manifest.model_copy(update={"shards": (shard,)}), "train", tmp_path)
