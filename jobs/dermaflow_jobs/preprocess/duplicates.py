"""Which images show the same photograph.

A perceptual hash (DCT, 64 bits) finds candidates; what confirms them is the correlation of fine detail in the middle of
the picture, where rulers, corners and the round edge of a dermoscope do not look alike in every image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct
from scipy.ndimage import gaussian_filter

THUMB: Final = 64
"""Side of the grey thumbnail that is kept for comparison."""
MAX_DISTANCE: Final = 8
"""Hamming distance up to which hashes make a candidate."""
MIN_CORRELATION: Final = 0.6
"""Of fine detail, after the best small shift. On ISIC 2017 (100 and 256 px) the 17 pairs seen by eye to be one lesion
have 0.61 and more; of all other pairs one has 0.63, the next 0.58. Set low on purpose: two strangers in one split cost
nothing, one photograph in two splits is a leak.
"""
_SHIFT: Final = 3
"""Pixels of the thumbnail; copies in archives are often cropped a little differently."""
_DETAIL_SIGMA, _RADIUS = 2.0, 30.0
_BLOCK = 512
"""A side of what is compared at once: 2 MB."""

_y, _x = np.mgrid[:THUMB, :THUMB]
_ROWS, _COLUMNS = np.nonzero(np.hypot(_y - (THUMB - 1) / 2, _x - (THUMB - 1) / 2) <= _RADIUS)
_shifts = np.array([(y, x) for y in range(-_SHIFT, _SHIFT + 1) for x in range(-_SHIFT, _SHIFT + 1)])
_MOVED_ROWS = np.clip(_ROWS + _shifts[:, :1], 0, THUMB - 1)
_MOVED_COLUMNS = np.clip(_COLUMNS + _shifts[:, 1:], 0, THUMB - 1)

# Pillow's LANCZOS from 64 to 32, read off what it makes of single bright pixels; then the eight lowest frequencies.
_HALVES = np.asarray(Image.fromarray(np.eye(THUMB, dtype=np.float32)).resize((32, THUMB), Image.Resampling.LANCZOS))
_LOW_DCT = dct(np.eye(32), axis=0)[:8]
_LOW_DCT_2D = np.kron(_LOW_DCT, _LOW_DCT)
"""(64, 1024): of a picture of 32 × 32 as one row."""

Thumb = NDArray[np.uint8]


def thumbnail(image: Image.Image) -> Image.Image:
    """Grey, THUMB a side."""
    return image.convert("L").resize((THUMB, THUMB), Image.Resampling.BOX)


def perceptual_hashes(thumbs: Sequence[Image.Image]) -> list[int]:
    """64 bits each; alike pictures differ in few of them. The bits are those of `imagehash.phash`, which takes one
    picture at a time; where a value lies just between two, one may differ.
    """
    if not thumbs:
        return []
    grey = np.frombuffer(b"".join(thumb.tobytes() for thumb in thumbs), np.uint8)
    rows = _rounded(grey.reshape(-1, THUMB).astype(np.float32) @ _HALVES).reshape(-1, THUMB, 32)
    small = _rounded(_HALVES.T @ rows).astype(np.float64)
    low = small.reshape(-1, 32 * 32) @ _LOW_DCT_2D.T
    bits = np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1)
    return [int.from_bytes(row.tobytes()) for row in bits]


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As Pillow does after each direction of a resize."""
    return np.clip(np.rint(values), 0, 255)


@dataclass(frozen=True)
class CandidateFinder:
    """Call it with two ranges: pairs (earlier, later) of positions, one in each, whose hashes differ in at most
    MAX_DISTANCE bits. All with all, block by block: memory is one block's, time is quadratic, at 2e8 pairs a second.
    """

    hashes: NDArray[np.uint64]

    def __call__(self, ranges: tuple[range, range]) -> list[tuple[int, int]]:
        earlier, later = ranges
        found: list[tuple[int, int]] = []
        for begin in later[::_BLOCK]:
            rows = self.hashes[begin : min(begin + _BLOCK, later.stop), None]
            for other in earlier[::_BLOCK]:
                columns = self.hashes[None, other : min(other + _BLOCK, earlier.stop)]
                near = np.argwhere(np.bitwise_count(rows ^ columns) <= MAX_DISTANCE)
                found += [(int(other + c), int(begin + r)) for r, c in near if other + c < begin + r]
        return found


def every_two_ranges(count: int, length: int = 2**14) -> list[tuple[range, range]]:
    """So that CandidateFinder, called with each, sees all pairs of `count` positions, a second of work a call."""
    ranges = [range(begin, min(begin + length, count)) for begin in range(0, count, length)]
    return [(earlier, later) for number, later in enumerate(ranges) for earlier in ranges[: number + 1]]


def candidates(hashes: Sequence[int]) -> list[tuple[int, int]]:
    """All pairs, found in this process."""
    find = CandidateFinder(np.array(hashes, dtype=np.uint64))
    return [pair for ranges in every_two_ranges(len(hashes)) for pair in find(ranges)]


def correlation(a: Thumb, b: Thumb) -> float:
    """Of what is finer than a few pixels, in the middle disc, at the best shift: -1 to 1; 0 where one has none."""
    still = _unit(_fine(a)[_ROWS, _COLUMNS])
    moved = _unit(_fine(b)[_MOVED_ROWS, _MOVED_COLUMNS])
    return float((moved @ still).max())


def _fine(thumb: Thumb) -> NDArray[np.float32]:
    grey = thumb.astype(np.float32)
    fine: NDArray[np.float32] = grey - gaussian_filter(grey, _DETAIL_SIGMA)
    return fine


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the last axis: mean 0, length 1, or 0 where there is nothing."""
    centred = vectors - vectors.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-3)
    return unit


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
