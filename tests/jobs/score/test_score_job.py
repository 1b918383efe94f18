"""The whole step: real S3 protocol, a real if small network; on real Spark once, which makes no other difference."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
import score_scene as scene

from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.runtime.errors import JobError, StorageError
from dermaflow_jobs.runtime.s3 import Store, s3_client
from dermaflow_jobs.score import job


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are worked on in this process, one after another: each executor would load TensorFlow for itself."""
    monkeypatch.setattr(job, "spark_session", lambda _: None)
    monkeypatch.setattr(job, "executor_slots", lambda _: 2)
    monkeypatch.setattr(job, "run_chunks", lambda _spark, chunks, work, *_: [work(chunk) for chunk in chunks])


def incoming(count: int = 24, begin: int = 1000, **how: object) -> dict[str, bytes]:
    return {f"clinic-{seed % 2}/{seed}.jpg": scene.photo(seed, **how) for seed in range(begin, begin + count)}


@pytest.mark.usefixtures("local_spark")
def test_every_object_is_scored_or_counted_with_its_reason(empty_store: Store) -> None:
    """The answers are the model's; what is no image is a row of failures.csv; the counts add up."""
    store, good = empty_store, incoming()
    bad = {"text.jpg": b"no image at all\n" * 9, "empty.png": b"", "half.jpg": scene.photo(1)[:400], "notes.txt": b"x"}
    scene.send(store, good | bad | {"folder/": b""})
    report = scene.run(store, scene.crown(store))
    found, table = scene.manifest(store, report), scene.predictions(store, report)
    prefix = store.layout.new_images_prefix("incoming/")
    assert table["key"].to_pylist() == sorted(prefix + name for name in good)
    seeds = [int(re.search(r"(\d+)\.jpg", key)[1]) for key in table["key"].to_pylist()]
    assert table["predicted"].to_pylist() == [scene.CLASSES[seed % 3] for seed in seeds]
    p = np.stack([table[f"p_{name}"].to_numpy() for name in scene.CLASSES], axis=1)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(p.max(axis=1), table["confidence"].to_numpy())
    rows = csv.DictReader(io.StringIO(store.get_bytes(found.failures_key).decode()))
    assert {row["key"].removeprefix(prefix): row["reason"] for row in rows} == {
        "text.jpg": "not a readable image",
        "empty.png": "zero bytes",
        "half.jpg": "truncated",
        "notes.txt": "not an image",
    }
    assert (report.images, report.failed, found.listed) == (24, 4, 28)
    assert sum(found.predicted.values()) == 24
    assert not report.drifted


@pytest.mark.usefixtures("here")
def test_the_class_named_is_the_model_s_decision_and_its_probability_the_confidence(empty_store: Store) -> None:
    """A model whose decision favours one class beyond measure names it always; probabilities are as they were."""
    scene.send(empty_store, incoming(6))
    report = scene.run(empty_store, scene.crown(empty_store, offsets=(0.0, 0.0, 100.0)))
    table = scene.predictions(empty_store, report)
    assert set(table["predicted"].to_pylist()) == {"seborrheic_keratosis"}
    np.testing.assert_array_equal(table["confidence"].to_numpy(), table["p_seborrheic_keratosis"].to_numpy())
    assert table["confidence"].to_numpy().min() < 0.1
    assert scene.manifest(empty_store, report).predicted == {"melanoma": 0, "nevus": 0, "seborrheic_keratosis": 6}


@pytest.mark.usefixtures("here")
def test_the_same_again_is_found_and_not_repeated(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same images and model: same place, nothing read. One image more: another place, the reference kept."""
    store = empty_store
    scene.send(store, incoming())
    champion = scene.crown(store)
    first = scene.run(store, champion)
    with monkeypatch.context() as patch:
        patch.setattr(job, "spark_session", lambda _: pytest.fail("nothing was to be done"))
        again = scene.run(store, champion, "s2")
    assert (again.score_id, again.reused, first.reused) == (first.score_id, True, False)
    scene.send(store, {"one more.jpg": scene.photo(5)})
    monkeypatch.setattr(job, "samples", lambda *_: pytest.fail("the reference was to be kept"))
    more = scene.run(store, champion, "s3")
    assert (more.images, more.reused) == (25, False)
    assert more.score_id != first.score_id


@pytest.mark.usefixtures("here")
def test_what_was_cut_off_is_no_result(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before score.json, the next run does the work again, in the same place."""
    store = empty_store
    scene.send(store, incoming(12))
    champion = scene.crown(store)
    with monkeypatch.context() as patch:
        patch.setattr(job, "write_failures", lambda *_: (_ for _ in ()).throw(StorageError("gone")))
        with pytest.raises(StorageError):
            scene.run(store, champion)
    assert not [one for one in store.list(f"{store.layout.prefix}scores/") if one["Key"].endswith("score.json")]
    assert not store.exists(store.layout.step_report("s1", "score"))
    assert scene.run(store, champion).images == 12


@pytest.mark.usefixtures("here")
def test_darker_images_have_drifted(empty_store: Store) -> None:
    """Told in the report, in score.json and on the page, which needs nothing beside it."""
    store = empty_store
    scene.send(store, incoming(60, light=0.4))
    report = scene.run(store, scene.crown(store))
    assert "brightness" in report.drifted
    assert "drift in" in report.summary()
    found = {drift.name: drift for drift in scene.manifest(store, report).drift}
    assert found["brightness"].mean < 0.6 * found["brightness"].reference_mean
    html = store.get_bytes(store.layout.score_drift(report.score_id)).decode()
    assert "Drift in" in html
    assert html.count("<svg") == 1
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    assert scene.run(store, scene.crown(store), "calm", drift_threshold=10).drifted != report.drifted


@pytest.mark.usefixtures("here")
def test_a_champion_of_drawn_images_scores_drawn_images_alone(empty_store: Store) -> None:
    """What it says of real ones means nothing, so nothing is written."""
    store = empty_store
    champion = scene.crown(store, synthetic=True)
    scene.send(store, incoming(12, drawn=True))
    assert scene.run(store, champion).images == 12
    scene.send(store, {"real.jpg": scene.photo(3)})
    with pytest.raises(JobError, match="1 of 13 images"):
        scene.run(store, champion, "s2")
    assert "Train on real images" in store.get(store.layout.step_failure("s2", "score"), FailureReport).remedy


@pytest.mark.usefixtures("here")
def test_no_image_and_no_model_are_told(empty_store: Store) -> None:
    store = empty_store
    champion = scene.crown(store)
    with pytest.raises(JobError, match="holds no image"):
        scene.run(store, champion)
    scene.send(store, {"a.jpg": b"no image"})
    with pytest.raises(JobError, match="1 × not a readable image"):
        scene.run(store, champion)
    s3_client().delete_object(Bucket=store.layout.bucket, Key=champion.model_key)
    with pytest.raises(StorageError, match=r"model\.keras"):
        scene.run(store, champion)
