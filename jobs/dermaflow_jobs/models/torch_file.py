"""Reads tensors from a file of `torch.save` without torch and without running what the file says.

Torch's format before version 1.6 (`torch/serialization.py`, `_legacy_load`): five pickles (magic number, protocol,
byte order, the tensors' descriptions, the order of the storages), then each storage as its length and its raw values.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dermaflow_jobs.runtime.errors import JobError

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class WeightsError(JobError):
    """A weights file that is damaged, of another kind, or that asks for code it has no business with."""


@dataclass(frozen=True)
class _Tensor:
    """Where in which storage a tensor lies; strides in values, not bytes, and often not those of a contiguous one."""

    storage: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Knows four names and refuses every other, so that nothing but data comes of a file."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _describe
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise WeightsError(f"weights file asks for {module}.{name}, which is not allowed")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        kind, dtype, key, *_ = pid
        if kind != "storage":
            raise WeightsError(f"weights file holds a {kind!r} where only storages are allowed")
        return key, dtype


def _describe(storage: tuple[str, np.dtype[Any]], offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage[0], storage[1], offset, tuple(shape), tuple(strides))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Name → array, contiguous. Raises WeightsError."""
    try:
        with path.open("rb") as file:
            if _Unpickler(file).load() != MAGIC:
                raise WeightsError(f"{path.name} was not written by torch.save in its format before 1.6")
            _protocol, _system = _Unpickler(file).load(), _Unpickler(file).load()
            tensors: dict[str, _Tensor] = _Unpickler(file).load()
            order: list[str] = _Unpickler(file).load()
            dtypes = {tensor.storage: tensor.dtype for tensor in tensors.values()}
            storages = {key: _read_storage(file, dtypes[key]) for key in order}
        return {name: _array(tensor, storages[tensor.storage]) for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise WeightsError(f"{path.name} is damaged: {type(error).__name__}: {error}") from error


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> np.ndarray:
    (count,) = struct.unpack("<q", file.read(8))
    return np.frombuffer(file.read(count * dtype.itemsize), dtype, count)


def _array(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if not 0 <= last < len(storage):
        raise ValueError(f"a tensor of {tensor.shape} reaches beyond its storage of {len(storage)}")
    strides = [step * storage.itemsize for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.ascontiguousarray(view)
