import csv
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
import pytest
from pictures import photo
from PIL import Image, ImageEnhance
from pyspark.sql import SparkSession

from dermaflow_jobs.preprocess.cluster import run_chunks
from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, decode
from dermaflow_jobs.preprocess.duplicates import (
    MAX_DISTANCE,
    MIN_CORRELATION,
    THUMB,
    CandidateFinder,
    candidates,
    correlation,
    every_two_ranges,
    perceptual_hashes,
    thumbnail,
)
from dermaflow_jobs.synthetic.draw import draw_image

REAL = Path(os.environ.get("DERMAFLOW_REAL_DATA", Path(__file__).parents[4] / "shared" / "data")) / "isic2017"


def likeness(a: Image.Image, b: Image.Image) -> tuple[int, float]:
    first, second = thumbnail(a), thumbnail(b)
    one, other = perceptual_hashes([first, second])
    distance = (one ^ other).bit_count()
    return distance, correlation(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize("seed", range(3))
def test_a_recoloured_and_recompressed_copy_is_found(seed: int) -> None:
    """Darker, less saturated and smaller: the same photograph."""
    image = photo(seed)
    copy = ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(0.8)).enhance(0.5).resize((120, 90))
    distance, alike = likeness(image, copy)
    assert distance <= MAX_DISTANCE
    assert alike >= MIN_CORRELATION


def test_hashes_are_those_of_imagehash() -> None:
    """Bit for bit, for a batch of any size."""
    thumbs = [thumbnail(photo(seed)) for seed in range(60)] + [thumbnail(Image.new("RGB", (90, 90)))]
    assert perceptual_hashes(thumbs) == [int(str(imagehash.phash(thumb)), 16) for thumb in thumbs]
    assert perceptual_hashes([]) == []


def test_different_pictures_are_not_taken_for_one() -> None:
    """Of 40 pictures no two are confirmed."""
    thumbs = [thumbnail(photo(seed)) for seed in range(40)]
    near = candidates(perceptual_hashes(thumbs))
    arrays = [np.asarray(thumb) for thumb in thumbs]
    assert not [pair for pair in near if correlation(arrays[pair[0]], arrays[pair[1]]) >= MIN_CORRELATION]


def test_a_picture_without_detail_resembles_nothing() -> None:
    """Two black squares give no evidence of one photograph."""
    black = np.zeros((THUMB, THUMB), np.uint8)
    assert correlation(black, black) == 0


def test_a_slightly_different_crop_of_one_photograph_is_found() -> None:
    """Two per cent cut off on either side."""
    image = draw_image("nevus", 3, 1)
    width, height = image.size
    left = image.crop((0, 0, round(0.98 * width), round(0.98 * height)))
    right = image.crop((round(0.02 * width), round(0.02 * height), width, height))
    distance, alike = likeness(left, right)
    assert distance <= MAX_DISTANCE
    assert alike >= MIN_CORRELATION


def test_candidates_are_all_pairs_within_the_distance() -> None:
    """The blocked search finds what comparing every pair finds, each pair once, the earlier first."""
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2**63, 40, dtype=np.uint64)
    flips = np.array(
        [np.uint64(sum(1 << int(b) for b in rng.choice(64, rng.integers(0, 14), False))) for _ in range(5000)]
    )
    hashes = [int(v) for v in base[rng.integers(0, 40, 5000)] ^ flips]
    some = rng.choice(5000, 300, replace=False)
    expected = {
        (int(i), int(j)) for i in some for j in some if i < j and (hashes[i] ^ hashes[j]).bit_count() <= MAX_DISTANCE
    }
    found = list(candidates(hashes))
    assert len(found) == len(set(found))
    assert {pair for pair in found if set(pair) <= set(some.tolist())} == expected
    find = CandidateFinder(np.array(hashes, dtype=np.uint64))
    in_parts = [pair for ranges in every_two_ranges(5000, 700) for pair in find(ranges)]
    assert sorted(in_parts) == sorted(found)
    assert every_two_ranges(0) == []


def test_executors_share_the_search(local_spark: SparkSession) -> None:
    """Three ranges, six tasks: the copies planted in different ranges are found, and nothing else."""
    rng = np.random.default_rng(3)  # no two of these are near by chance
    hashes = rng.integers(0, 2**63, 2**15 + 50, dtype=np.uint64)
    planted = [(5, 9), (17, 20_000), (3, 2**15 + 40), (2**15 + 1, 2**15 + 2)]
    for earlier, later in planted:
        hashes[later] = hashes[earlier] ^ np.uint64(0b1011)
    chunks = every_two_ranges(len(hashes))
    found = run_chunks(local_spark, chunks, CandidateFinder(hashes), len, lambda _: None)
    assert len(chunks) == 6
    assert sorted(pair for pairs in found for pair in pairs) == sorted(planted)


def fingerprint(path: str) -> tuple[int, bytes]:
    found = decode(Path(path).read_bytes(), DecodeOptions(size=100, max_pixels=10**7))
    assert isinstance(found, Decoded)
    thumb = thumbnail(found.image)
    return perceptual_hashes([thumb])[0], thumb.tobytes()


SEEN = (
    (165, 14788), (171, 15124), (177, 14657), (204, 14748), (206, 14739), (215, 15313),
    (223, 14818), (224, 14791), (225, 14778), (229, 14771), (1134, 10016),
)  # fmt: skip
"""ISIC numbers of pairs that near_duplicates.csv lacks. Looked at one by one: the same lesion, mostly recoloured."""


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real images at {REAL} (set DERMAFLOW_REAL_DATA)")
def test_known_near_duplicates_of_isic_2017_are_found() -> None:
    """All six pairs of near_duplicates.csv, the eleven more that are known by eye, and hardly any other."""
    paths = sorted(str(path) for path in REAL.glob("*/*/*.jpg"))
    with ProcessPoolExecutor(2) as pool:
        prints = list(pool.map(fingerprint, paths, chunksize=128))
    thumbs = [np.frombuffer(thumb, np.uint8).reshape(THUMB, THUMB) for _, thumb in prints]
    names = [Path(path).stem for path in paths]
    found = {
        frozenset((names[a], names[b]))
        for a, b in candidates([phash for phash, _ in prints])
        if correlation(thumbs[a], thumbs[b]) >= MIN_CORRELATION
    }
    with (REAL / "near_duplicates.csv").open() as file:
        listed = {frozenset((row["id_a"], row["id_b"])) for row in csv.DictReader(file)}
    true = listed | {frozenset(f"ISIC_{number:07d}" for number in pair) for pair in SEEN}
    for name, truth in (("listed pairs", listed), ("listed and seen by eye", true)):
        hits = len(found & truth)
        print(f"\n{name}: recall {hits}/{len(truth)}, precision {hits}/{len(found)}", end="")
    assert true <= found
    assert len(found - true) <= 1
