"""A JPEG decoded at eighths of its size shows what a full decode shows; what is not in order is left to Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures import jpeg, photo, saved
from PIL import Image

from dermaflow_jobs.preprocess.decode import DecodeOptions, Undecodable, decode
from dermaflow_jobs.preprocess.images import Processed, process, process_all
from dermaflow_jobs.preprocess.jpeg import decode_scaled
from dermaflow_jobs.preprocess.reasons import Reason

SIZE = 100


@pytest.mark.parametrize("side", [(1607, 1201), (801, 333), (1023, 767), (120, 101), (100, 100)])
def test_the_box_is_the_whole_picture_and_no_more(side: tuple[int, int]) -> None:
    """A shift by a pixel of the scaled picture costs ten decibels; odd sides have their last row partly beyond."""
    data = saved(photo(1, side), quality=95)
    scaled = decode_scaled(data, side, SIZE)
    assert scaled is not None
    assert min(scaled.image.size) >= SIZE
    assert scaled.box[2] / scaled.box[3] == pytest.approx(side[0] / side[1])
    ours = scaled.image.resize((SIZE, SIZE), Image.Resampling.HAMMING, box=scaled.box)
    full = Image.open(io.BytesIO(data)).resize((SIZE, SIZE), Image.Resampling.HAMMING)
    error = np.mean((np.asarray(ours, float) - np.asarray(full, float)) ** 2)
    assert error <= 255**2 / 10**3.5, "35 dB"


def test_what_is_cut_off_smaller_or_of_another_size_than_said_is_left_to_pillow() -> None:
    """Pillow then says why, as ever."""
    data = saved(photo(1, (801, 333)))
    assert decode_scaled(data[: len(data) // 2], (801, 333), SIZE) is None
    assert decode_scaled(data, (801, 333), 400) is None
    assert decode_scaled(data, (1602, 666), SIZE) is None
    cut = decode(data[: len(data) // 2], DecodeOptions(SIZE, 10**7))
    assert isinstance(cut, Undecodable)
    assert cut.reason is Reason.TRUNCATED


def test_many_files_at_once_become_what_each_becomes_alone_in_order() -> None:
    """More than are taken at a time, with broken ones and ones that were not read at all between them."""
    options = DecodeOptions(SIZE, 10**7)
    files: list[bytes | Undecodable] = [jpeg(seed) for seed in range(35)]
    files[3], files[20] = b"nonsense", Undecodable(Reason.VANISHED, "")
    found = list(process_all(iter(files), options))
    assert found[20] is files[20]
    assert found == [data if isinstance(data, Undecodable) else process(data, options) for data in files]
    assert sum(isinstance(one, Processed) for one in found) == 33
