"""predictions.parquet and failures.csv, written to local disk part by part and uploaded whole.

By Arrow, not by Spark: PySpark from PyPI has no S3 file system, and a table of some MB needs no folder of part files.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dermaflow_jobs.preprocess.reasons import Rejected
from dermaflow_jobs.runtime.s3 import Store
from dermaflow_jobs.score.worker import Scored


def schema(classes: Sequence[str], metadata: dict[str, str]) -> pa.Schema:
    fields = [
        pa.field("key", pa.string(), nullable=False),
        pa.field("etag", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("predicted", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        *(pa.field(f"p_{name}", pa.float32(), nullable=False) for name in classes),
    ]
    return pa.schema(fields, metadata=metadata)


def batch(scored: Scored, classes: Sequence[str], layout: pa.Schema) -> pa.RecordBatch:
    p, predicted = scored.probabilities, scored.predicted
    columns = [
        pa.array([source.key for source in scored.sources], pa.string()),
        pa.array([source.etag for source in scored.sources], pa.string()),
        pa.array([source.size for source in scored.sources], pa.int64()),
        pa.DictionaryArray.from_arrays(pa.array(predicted.astype(np.int8)), pa.array(classes, pa.string())),
        pa.array(np.take_along_axis(p, predicted[:, None], axis=1)[:, 0].astype(np.float32)),
        *(pa.array(p[:, number].astype(np.float32)) for number in range(len(classes))),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=layout)


def write_predictions(
    store: Store, key: str, parts: Iterable[Scored], classes: Sequence[str], metadata: dict[str, str]
) -> None:
    """In the order of the parts. An upload is seen whole or not at all."""
    layout = schema(classes, metadata)
    with tempfile.NamedTemporaryFile(prefix="dermaflow-score-", suffix=".parquet") as file:
        with parquet.ParquetWriter(file.name, layout, compression="zstd") as writer:
            for scored in parts:
                if scored.sources:
                    writer.write_batch(batch(scored, classes, layout))
        store.upload(file.name, key)


def write_failures(store: Store, key: str, failures: Iterable[Rejected]) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="dermaflow-score-", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("key", "size", "reason", "detail"))
        writer.writerows((one.key, one.size, one.reason.value, one.detail) for one in failures)
        file.flush()
        store.upload(file.name, key)
