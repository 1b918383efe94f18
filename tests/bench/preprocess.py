"""`make bench-preprocess`: images a second of ours and others, on the same images, one core and then all.

Run by the data plane's Python with the dependency group `bench`. Writes `build/bench/preprocess.json`; exit code 1
where a target is missed. Rates are by the CPU time of a process that is tied to one core, each group of files at its
best of several rounds in which the methods take turns: a machine that is busy elsewhere tells nearly the same as an
idle one.
All cores at once is the sum of such rates while every core is at work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.preprocess_methods import METHODS, psnr_db, seconds_per_group
from bench.preprocess_spark import growth, measure_job

REPO = Path(__file__).resolve().parents[2]
TARGETS = {
    100: {"vs_2021": 3.5, "vs_limit": 0.85, "psnr_db": 35.0, "scaling_2_cores": 1.8},
    256: {"vs_2021": 2.5, "vs_pyvips_thumbnail": 1.0, "vs_img2dataset": 1.0, "psnr_db": 35.0, "scaling_2_cores": 1.8},
}
"""Least values, by image size; for other sizes none."""
MOST_GROWTH = {"cpu_ms_per_image": 1.1, "driver_peak_mb": 1.2, "jvm_peak_mb": 1.2, "executor_peak_mb": 1.2}
"""Of the whole job: the largest rise from fewer images to more, between a thousand and ten thousand."""
ROUNDS_TOGETHER = 3

Rates = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench-preprocess", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of JPEG files, searched through")
    parser.add_argument("--size", type=int, nargs="*", default=[100, 256])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--spark", type=int, nargs="*", metavar="N", help="also the whole job on so many images each")
    parser.add_argument("--out", type=Path, default=REPO / "build" / "bench" / "preprocess.json")
    arguments = parser.parse_args(argv)
    paths = sorted(path for path in arguments.data.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    if not paths:
        parser.error(f"no JPEG files below {arguments.data}")
    files = [path.read_bytes() for path in paths]
    sizes = {size: measure(files, size, arguments.rounds) for size in arguments.size}
    spark = measure_job(arguments.spark) if arguments.spark else []
    missed = [line for size, found in sizes.items() for line in misses(found, size)]
    missed += [f"missed by the job: {name} grows {by}-fold" for name, by in grown(spark).items()]
    report = {
        "images": len(files),
        "mean_bytes": round(statistics.mean(map(len, files))),
        "cores": len(cores()),
        **({"size": arguments.size[0]} | sizes[arguments.size[0]] if sizes else {}),
        "sizes": {str(size): found for size, found in sizes.items()},
        "spark": spark,
        "spark_growth": growth(spark),
        "missed": missed,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{arguments.out}\n" + ("\n".join(missed) or "all targets met"))
    return 1 if missed else 0


def measure(files: Sequence[bytes], size: int, rounds: int) -> dict[str, object]:
    alone = rates(files, size, rounds, METHODS, cores()[:1])
    together = rates(files, size, ROUNDS_TOGETHER, METHODS, cores())
    two = together if len(cores()) == 2 else rates(files, size, ROUNDS_TOGETHER, ["ours"], cores()[:2])
    with tied_to(cores()[0]) as pool:
        psnr = pool.submit(psnr_db, files, size).result()
    others = {name: alone["ours"] / rate for name, rate in alone.items() if name not in {"ours", "way_2021", "limit"}}
    found: dict[str, object] = {
        "images_per_second": {name: round(rate, 1) for name, rate in alone.items()},
        "images_per_second_all_cores": {name: round(rate, 1) for name, rate in together.items()},
        "vs_2021": round(alone["ours"] / alone["way_2021"], 2),
        "vs_limit": round(alone["ours"] / alone["limit"], 3),
        **{f"vs_{name}": round(ratio, 2) for name, ratio in others.items()},
        "psnr_db": round(statistics.mean(psnr), 1),
        "psnr_db_worst": round(min(psnr), 1),
        "scaling_2_cores": round(two["ours"] / alone["ours"], 2),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(f"{size} px: " + json.dumps(found, indent=1), flush=True)
    return found


def misses(found: dict[str, object], size: int) -> list[str]:
    return [
        f"missed at {size} px: {name} = {found[name]}, at least {least}"
        for name, least in TARGETS.get(size, {}).items()
        if float(str(found[name])) < least
    ]


def grown(spark: Sequence[dict[str, float]]) -> dict[str, float]:
    """What grows with the number of images by more than it may."""
    return {name: by for name, by in growth(spark).items() if by > MOST_GROWTH.get(name, by)}


def rates(files: Sequence[bytes], size: int, rounds: int, methods: Iterable[str], on: Sequence[int]) -> Rates:
    """Images a second of each method, on all these cores at the same time."""
    with ExitStack() as stack:
        pools = [stack.enter_context(tied_to(core)) for core in on]
        best: dict[str, NDArray[np.float64]] = {}
        for _ in range(rounds):
            for name in methods:
                running = [pool.submit(seconds_per_group, name, files, size) for pool in pools]
                spent = np.array([one.result() for one in running])
                best[name] = np.minimum(best.get(name, spent), spent)
    return {name: float((len(files) / spent.sum(axis=1)).sum()) for name, spent in best.items()}


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@contextmanager
def tied_to(core: int) -> Iterator[ProcessPoolExecutor]:
    """A process of its own on one core."""
    with ProcessPoolExecutor(1, get_context("spawn"), _tie, (core,)) as pool:
        yield pool


def _tie(core: int) -> None:
    os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    raise SystemExit(main())
