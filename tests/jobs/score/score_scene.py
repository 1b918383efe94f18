"""A champion with its dataset in S3, new images, and the step run as Spark's driver runs it."""

from __future__ import annotations

import hashlib
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image
from pyarrow import Table, parquet

from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.dataset import SYNTHETIC_SOFTWARE, DatasetManifest, Shard
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec
from dermaflow_jobs.contract.score import ScoreManifest, ScoreOptions, ScoreTask
from dermaflow_jobs.contract.steps import ScoreReport
from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.runtime.s3 import Store, s3_client
from dermaflow_jobs.runtime.step import run_step
from dermaflow_jobs.score.job import score

CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
SIZE = 32
MODEL_RUN = "lesion_training=first"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def pixels(seed: int, *, light: float = 1.0) -> np.ndarray:
    """Skin with a spot whose colour says which class the model below takes it for."""
    rng = np.random.default_rng(seed)
    image = np.full((SIZE, SIZE, 3), (190.0, 150.0, 140.0)) + rng.normal(0, 12)
    image[8:24, 8:24] = 90 + rng.normal(0, 10)
    image[8:24, 8:24, seed % 3] += 90 + rng.normal(0, 15)
    return np.clip(image * light + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def photo(seed: int, *, drawn: bool = False, light: float = 1.0) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    if drawn:
        exif[0x0131] = SYNTHETIC_SOFTWARE
    Image.fromarray(pixels(seed, light=light)).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def crown(
    store: Store,
    *,
    synthetic: bool = False,
    favourite: int | None = None,
    images: int = 60,
    offsets: tuple[float, ...] = (),
) -> Champion:
    """A model that looks at the colour of the middle, its dataset's validation split, and the champion's record."""
    layout = store.layout
    image = keras.Input((SIZE, SIZE, 3), name="image")
    middle = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(SIZE // 4)(image))
    dense = keras.layers.Dense(3)
    network = keras.Model(image, dense(middle))
    bias = np.zeros(3) if favourite is None else 50 * np.eye(3)[favourite]
    dense.set_weights([np.eye(3) / 20, bias])
    info = ModelInfo(
        architecture="small_cnn", classes=CLASSES, image_size=SIZE, temperature=1.0, eight_views=False,
        colour_constancy=False, synthetic=synthetic, run_key=MODEL_RUN, dataset_id="learned", code_id="c",
        decision_offsets=offsets,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        save_model(as_classifier(network, temperature=1.0, eight_views=False), path, info)
        store.upload(str(path), layout.model(MODEL_RUN))
    _write_validation_split(store, images, synthetic=synthetic)
    return Champion(
        run_key=MODEL_RUN, dataset_id="learned", model_key=layout.model(MODEL_RUN), mean_auc=0.9,
        valid_images=images, synthetic=synthetic, crowned_at=NOW,
    )  # fmt: skip


def _write_validation_split(store: Store, images: int, *, synthetic: bool) -> None:
    import tensorflow as tf

    shards = []
    for label, name in enumerate(CLASSES):
        seeds = range(label, images, 3)
        with tempfile.NamedTemporaryFile() as file:
            with tf.io.TFRecordWriter(file.name) as writer:
                for seed in seeds:
                    writer.write(_record(seed, label))
            body = Path(file.name).read_bytes()
        key = store.layout.dataset_shard("learned", "valid", name, 0)
        store.put_bytes(key, body)
        digest = hashlib.sha256(body).hexdigest()
        shards.append(Shard(key=key, split="valid", label=name, records=len(seeds), bytes=len(body), sha256=digest))
    manifest = DatasetManifest(
        dataset_id="learned", classes=CLASSES, image_size=SIZE, synthetic=synthetic, official_split=False,
        counts={"valid": dict.fromkeys(CLASSES, images // 3)}, listed=images, quarantined=0,
        quarantine_reasons={}, duplicates=0, shards=tuple(shards), images_key="i", quarantine_key="q",
        fingerprint="f", created_at=NOW,
    )  # fmt: skip
    store.put(store.layout.dataset_manifest("learned"), manifest)


def _record(seed: int, label: int) -> bytes:
    import tensorflow as tf

    def of(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    number = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    features = {"image": of(pixels(seed).tobytes()), "encoding": of(b"rgb8"), "label": number}
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def send(store: Store, files: dict[str, bytes], folder: str = "incoming/") -> None:
    for name, body in files.items():
        key = store.layout.new_images_prefix(folder) + name
        s3_client().put_object(Bucket=store.layout.bucket, Key=key, Body=body)


def run(store: Store, champion: Champion, run_key: str = "s1", **options: Any) -> ScoreReport:
    """Raises what the step raises."""
    spec = RunSpec(
        root=f"s3://{store.layout.bucket}/{store.layout.prefix.strip('/')}",
        code=CodeRef(code_id="0" * 64, environment_id="0" * 64),
        identity=RunIdentity(run_key=run_key, dag_id="d", run_id="r", logical_date=None, data_until=NOW),
        options=RunOptions(),
        score=ScoreTask(options=ScoreOptions(**options), champion=champion),
    )
    key = store.layout.run_spec(run_key)
    store.put(key, spec)
    run_step("score", score, ["--run-spec", store.layout.uri(key)])
    return store.get(store.layout.step_report(run_key, "score"), ScoreReport)


def manifest(store: Store, report: ScoreReport) -> ScoreManifest:
    return store.get(store.layout.score_manifest(report.score_id), ScoreManifest)


def predictions(store: Store, report: ScoreReport) -> Table:
    return parquet.read_table(io.BytesIO(store.get_bytes(store.layout.score_predictions(report.score_id))))
