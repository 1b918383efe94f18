import hashlib
from pathlib import Path

import numpy as np
import pytest
from pictures import photo, saved

from dermaflow_jobs.preprocess.decode import DecodeOptions
from dermaflow_jobs.preprocess.images import Processed, process
from dermaflow_jobs.preprocess.records import example, features, framed


def test_tensorflow_reads_back_every_kind_of_feature(tmp_path: Path) -> None:
    """Framing, checksums and features, in one record and over several; numbers at their limits."""
    import tensorflow as tf

    values = {"bytes": bytes(range(256)) * 300, "int": -(2**63), "big": 2**63 - 1, "float": 0.1, "empty": b""}
    file = tmp_path / "x.tfrecord"
    file.write_bytes(framed(example(features(values))) + framed(example(features({"int": 7}) + features({"b": b"x"}))))
    first, second = (tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(file)))
    assert first.features.feature["bytes"].bytes_list.value[0] == values["bytes"]
    assert first.features.feature["int"].int64_list.value[0] == -(2**63)
    assert first.features.feature["big"].int64_list.value[0] == 2**63 - 1
    assert first.features.feature["float"].float_list.value[0] == pytest.approx(0.1)
    assert first.features.feature["empty"].bytes_list.value[0] == b""
    assert sorted(second.features.feature) == ["b", "int"]


@pytest.mark.parametrize(("size", "encoding"), [(64, b"rgb8"), (160, b"jpeg")])
def test_a_processed_image_is_read_back_with_its_pixels(size: int, encoding: bytes) -> None:
    """Small images exactly, larger ones as JPEG within 35 dB; the pixels' hash is of the picture before JPEG."""
    import tensorflow as tf

    found = process(saved(photo(1, (640, 480)), "JPEG", quality=95), DecodeOptions(size, 10**7))
    assert isinstance(found, Processed)
    read = tf.train.Example.FromString(example(found.record)).features.feature
    assert read["encoding"].bytes_list.value[0] == encoding
    assert (read["height"].int64_list.value[0], read["width"].int64_list.value[0]) == (size, size)
    body = read["image"].bytes_list.value[0]
    if encoding == b"rgb8":
        assert len(body) == size * size * 3
        assert hashlib.sha256(body).hexdigest() == found.pixel_sha256
    else:
        again = tf.io.decode_jpeg(body).numpy().astype(np.float64)
        shown = np.asarray(photo(1, (640, 480)).resize((size, size)), np.float64)
        assert 10 * np.log10(255**2 / ((again - shown) ** 2).mean()) > 35
