"""A training's state in S3 after every epoch, from which a killed training goes on to the same end.

The sample sequence is a function of its position, so weights, optimizer and average are the whole state.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dermaflow_jobs.contract.base import ContractError, Value
from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.metrics import Epoch
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.s3 import Store

KEPT = 2
"""Newest checkpoints that stay: the one before is there while the newest is written."""

EXPIRES = "dermaflow=checkpoint"
"""Tag by which the bucket's lifecycle rule in infra/aws/account.yaml finds those that nobody went on with."""

Arrays = dict[str, np.ndarray]


class CheckpointError(JobError):
    """A checkpoint of another training, or a damaged one."""


class Meta(Value):
    fingerprint: str
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class Checkpoint:
    meta: Meta
    arrays: Arrays = field(repr=False)


def training_fingerprint(spec: RunSpec, manifest: DatasetManifest, number: int = 0) -> str:
    """Same value: same training. Over dataset, options, code and environment, and which of several networks it is."""
    options = spec.options.train.model_dump(mode="json")
    parts = [manifest.dataset_id, manifest.fingerprint, options, spec.code.model_dump(), number]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def to_bytes(checkpoint: Checkpoint) -> bytes:
    out = io.BytesIO()
    named: dict[str, Any] = {**checkpoint.arrays, "meta": np.frombuffer(checkpoint.meta.to_json().encode(), np.uint8)}
    np.savez(out, allow_pickle=False, **named)
    return out.getvalue()


def from_bytes(body: bytes, *, fingerprint: str, source: str) -> Checkpoint:
    """Never by pickle. Raises CheckpointError for a damaged file or another training's."""
    remedy = f"Delete {source}; the training then goes on from the one before, or begins anew."
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = Meta.parse(arrays.pop("meta").tobytes(), source=source)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, EOFError, ContractError) as error:
        raise CheckpointError(f"{source} is no checkpoint or is damaged: {error}", remedy=remedy) from error
    if meta.fingerprint != fingerprint:
        raise CheckpointError(
            f"{source} belongs to a training with other data, options or code"
            f" (its fingerprint is {meta.fingerprint[:16]}, this training's {fingerprint[:16]})",
            remedy=remedy,
        )
    return Checkpoint(meta, arrays)


@dataclass(frozen=True)
class Checkpoints:
    """Those of one training; its fingerprint is part of their keys, so another training's are not even seen."""

    store: Store
    run_key: str
    fingerprint: str

    @property
    def _prefix(self) -> str:
        return f"{self.store.layout.checkpoints_prefix(self.run_key)}{self.fingerprint[:16]}/epoch-"

    def _key(self, epoch: int) -> str:
        return f"{self._prefix}{epoch:05d}.npz"

    def epochs(self) -> list[int]:
        keys = (item["Key"] for item in self.store.list(self._prefix))
        return sorted(int(key.removeprefix(self._prefix).removesuffix(".npz")) for key in keys)

    def newest(self) -> int:
        """Epochs behind the newest checkpoint; 0 where there is none."""
        return max(self.epochs(), default=0)

    def save(self, epochs: tuple[Epoch, ...], arrays: Arrays) -> None:
        body = to_bytes(Checkpoint(Meta(fingerprint=self.fingerprint, epochs=epochs), arrays))
        self.store.put_bytes(self._key(len(epochs)), body, tags=EXPIRES)
        for old in self.epochs():
            if old <= len(epochs) - KEPT:
                self.store.delete(self._key(old))

    def load(self, epoch: int) -> Checkpoint:
        key = self._key(epoch)
        return from_bytes(self.store.get_bytes(key), fingerprint=self.fingerprint, source=self.store.layout.uri(key))
