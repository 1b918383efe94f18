"""The whole pipeline: real Airflow, Spark and TensorFlow over HTTP, as `make demo` runs it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dermaflow_jobs.contract.ledger import LedgerRecord
from e2e.conftest import Demo
from local_stack import aws

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def first(demo: Demo, images: Path) -> dict[str, Any]:
    """One finished run; what it printed and what the bucket held then."""
    done = demo(images, max_bad_share=0.1)
    assert done.returncode == 0, done.stdout + done.stderr
    root = next(line for line in done.stdout.splitlines() if line.startswith("raw data:")).split("dermaflow/")[1]
    name = root.split("/")[0]
    return {"printed": done.stdout, "name": name, "objects": demo.objects(f"{name}/")}


def ledger(objects: dict[str, bytes]) -> list[LedgerRecord]:
    return [LedgerRecord.parse(body) for key, body in objects.items() if "/ledger/runs/" in key]


def test_a_run_ends_in_a_ledger_record_a_model_and_no_cluster(demo: Demo, first: dict[str, Any]) -> None:
    """What the demo prints is what the bucket holds."""
    (record,) = ledger(first["objects"])
    assert record.metrics.synthetic
    assert record.line_2021() in first["printed"].replace("\n", " ")
    assert "no cluster is left" in first["printed"]
    assert aws.clusters_alive(demo.config) == []
    kinds = {key.rsplit("/", 1)[-1] for key in first["objects"]}
    assert {"model.keras", "metrics.json", "run.json", "dataset.json", "ledger.csv", "champion.json"} <= kinds
    text = first["objects"][f"{first['name']}/ledger/skin-lesions-model-output.txt"].decode()
    assert text == f"{record.line_2021()}\n"


def test_a_file_that_is_no_image_is_counted_and_named_with_its_reason(first: dict[str, Any]) -> None:
    """Bad data under the stated share does not end a run, and is not lost."""
    (manifest,) = [json.loads(body) for key, body in first["objects"].items() if key.endswith("/dataset.json")]
    rows = list(csv.DictReader(io.StringIO(first["objects"][manifest["quarantine_key"]].decode())))
    assert {row["key"].rsplit("/", 1)[-1] for row in rows} == {"empty.jpg", "cut short.jpg", "notes.jpg"}
    assert all(row["reason"] for row in rows)
    assert manifest["quarantined"] == 3
    assert manifest["listed"] == 63
    assert sum(sum(split.values()) for split in manifest["counts"].values()) + manifest["duplicates"] == 60


def test_the_run_again_gives_the_same_result_and_no_second_record(
    demo: Demo, images: Path, first: dict[str, Any]
) -> None:
    """Same images, same parameters: the dataset is found by its id, and the record is replaced."""
    done = demo(images, max_bad_share=0.1)
    assert done.returncode == 0, done.stdout + done.stderr
    (before,), (after,) = ledger(first["objects"]), ledger(demo.objects(f"{first['name']}/"))
    assert after.run_key == before.run_key
    assert after.recorded_at > before.recorded_at
    assert after.metrics.dataset_id == before.metrics.dataset_id
    assert after.metrics.splits == before.metrics.splits
    table = demo.objects(f"{first['name']}/ledger/ledger.csv").popitem()[1].decode()
    assert len(list(csv.DictReader(io.StringIO(table)))) == 1


def test_a_missing_class_is_said_before_a_cluster_is_rented(demo: Demo, images: Path, tmp_path: Path) -> None:
    """With what to do, in the log of the task."""
    shutil.copytree(images, tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "seborrheic_keratosis")
    clusters = len(all_clusters(demo))
    done = demo(tmp_path / "two")
    assert done.returncode == 1
    assert "check_inputs failed" in done.stdout
    assert "seborrheic_keratosis" in done.stdout
    assert len(all_clusters(demo)) == clusters


def test_a_value_out_of_range_is_refused_with_what_is_allowed(demo: Demo, images: Path) -> None:
    """Airflow itself refuses it, since the form's schema is the contract's."""
    done = demo(images, image_size=7)
    assert done.returncode == 1
    assert "image_size" in done.stdout
    assert "32" in done.stdout


def test_a_bootstrap_action_that_fails_ends_the_run_with_its_reason(demo: Demo, images: Path) -> None:
    """The cluster is gone, and the task's log holds the script's own words."""
    done = demo(images, environment_root="/proc/dermaflow", max_bad_share=0.1)
    assert done.returncode == 1
    assert "wait_for_cluster failed" in done.stdout
    assert "/proc/dermaflow" in done.stdout
    assert aws.clusters_alive(demo.config) == []


def all_clusters(demo: Demo) -> list[Any]:
    return [c for page in aws.emr(demo.config).get_paginator("list_clusters").paginate() for c in page["Clusters"]]
