"""TFRecord files of tf.train.Example, written without TensorFlow.

Importing TensorFlow costs a Spark worker seconds and hundreds of MB; the two formats are a screen of code, and tests
read them back with tf.data. Formats: https://www.tensorflow.org/tutorials/load_data/tfrecord and
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import chain

import google_crc32c

FeatureValue = bytes | int | float


def features(values: Mapping[str, FeatureValue]) -> bytes:
    """Entries of the map `Features.feature`. Entries of several calls may be joined: a map is a repeated field."""
    parts = [_field(1, _field(1, [name.encode()]) + _field(2, _feature(value))) for name, value in values.items()]
    return b"".join(chain.from_iterable(parts))


def example(entries: bytes) -> bytes:
    """A tf.train.Example of these entries."""
    return b"".join(_field(1, [entries]))


def framed(record: bytes) -> bytes:
    """A record as it lies in a TFRecord file: length, checksum of it, data, checksum of them."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _feature(value: FeatureValue) -> list[bytes]:
    """bytes_list = 1, float_list = 2, int64_list = 3; each holds one repeated field 1."""
    if isinstance(value, bytes):
        return _field(1, _field(1, [value]))
    if isinstance(value, float):
        return _field(2, _field(1, [struct.pack("<f", value)]))
    return _field(3, _field(1, [_varint(value & 0xFFFFFFFFFFFFFFFF)]))


def _field(number: int, body: list[bytes]) -> list[bytes]:
    """In pieces, so that an image's pixels are copied once and not at every level."""
    return [_varint(number << 3 | 2) + _varint(sum(map(len, body))), *body]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
