"""Which images show the same photograph.

A perceptual hash (DCT, 64 bits) finds candidates; what confirms them is the correlation of fine detail in the middle of
the picture, where rulers, corners and the round edge of a dermoscope do not look alike in every image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

THUMB: Final = 64
"""Side of the grey thumbnail that is kept for comparison."""
MAX_DISTANCE: Final = 8
"""Hamming distance up to which hashes make a candidate."""
MIN_CORRELATION: Final = 0.775
"""Of high-pass detail. On ISIC 2017, pairs seen by eye to be one lesion have 0.80 and more, others 0.75 and less."""
_DETAIL_SIGMA, _RADIUS = 4.0, 26.0
_BLOCK = 2048

Thumb = NDArray[np.uint8]


def thumbnail(image: Image.Image) -> Image.Image:
    """Grey, THUMB a side."""
    return image.convert("L").resize((THUMB, THUMB), Image.Resampling.BOX)


def perceptual_hash(thumb: Image.Image) -> int:
    """64 bits. Alike pictures differ in few of them."""
    return int(str(imagehash.phash(thumb)), 16)


def candidates(hashes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of positions whose hashes differ in at most MAX_DISTANCE bits.

    Compares all with all, block by block: memory is one block's, time is quadratic, at about 3e8 pairs a second.
    """
    values = np.array(hashes, dtype=np.uint64)
    for begin in range(0, len(values), _BLOCK):
        later = values[begin : begin + _BLOCK, None]
        for other in range(0, begin + 1, _BLOCK):
            near = np.bitwise_count(later ^ values[None, other : other + _BLOCK]) <= MAX_DISTANCE
            for row, column in np.argwhere(near):
                if other + column < begin + row:
                    yield int(other + column), int(begin + row)


def detail(thumb: Thumb) -> NDArray[np.float32]:
    """Unit vector of what is finer than a few pixels, in the middle disc."""
    grey = thumb.astype(np.float32)
    fine = (grey - gaussian_filter(grey, _DETAIL_SIGMA))[_DISC]
    fine -= fine.mean()
    length = np.float32(np.linalg.norm(fine))
    unit: NDArray[np.float32] = fine / length if length > 1e-3 else fine * 0
    return unit


def correlation(a: Thumb, b: Thumb) -> float:
    """Of fine detail, -1 to 1; 0 where one has none."""
    return float(detail(a) @ detail(b))


def groups_by(values: Iterable[str | None]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later): a position with the first and the last before it of the same value. None is no value."""
    members: dict[str, list[int]] = defaultdict(list)
    for position, value in enumerate(values):
        if value is not None:
            members[value].append(position)
    for first, *others in members.values():
        last = first
        for position in others:
            yield from {(first, position), (last, position)}
            last = position


def _disc() -> NDArray[np.bool_]:
    y, x = np.ogrid[:THUMB, :THUMB]
    middle = (THUMB - 1) / 2
    return np.asarray(np.hypot(x - middle, y - middle) <= _RADIUS)


_DISC: Final = _disc()
