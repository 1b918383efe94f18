"""`make bench-preprocess`: images a second of ours and others, on the same images, one core and then all.

Run by the data plane's Python with the dependency group `bench`. Writes `build/bench/preprocess.json`; exit code 1
where a target is missed. Rates are by the CPU time of a process that is tied to one core, each file at its best of
several rounds in which the methods take turns: a machine that is busy elsewhere tells nearly the same as an idle one.
All cores at once is the sum of such rates while every core is at work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.preprocess_methods import METHODS, psnr_db, seconds_per_file
from bench.preprocess_spark import measure_job

REPO = Path(__file__).resolve().parents[2]
TARGETS = {
    100: {"vs_2021": 3.5, "vs_limit": 0.85, "psnr_db": 35.0, "scaling_2_cores": 1.8},
    256: {"vs_2021": 2.5, "vs_pyvips_thumbnail": 1.0, "vs_img2dataset": 1.0, "psnr_db": 35.0, "scaling_2_cores": 1.8},
}
"""Least values, by image size; for other sizes none."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench-preprocess", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of JPEG files, searched through")
    parser.add_argument("--size", type=int, nargs="+", default=[100, 256])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--spark", type=int, nargs="*", metavar="N", help="also the whole job on so many images each")
    parser.add_argument("--out", type=Path, default=REPO / "build" / "bench" / "preprocess.json")
    arguments = parser.parse_args(argv)
    paths = sorted(path for path in arguments.data.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    if not paths:
        parser.error(f"no JPEG files below {arguments.data}")
    files = [path.read_bytes() for path in paths]
    report = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    report |= {"images": len(files), "mean_bytes": round(statistics.mean(map(len, files)))}
    report |= {str(size): measure(files, size, arguments.rounds) for size in arguments.size}
    if arguments.spark:
        report["spark"] = measure_job(arguments.spark)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    missed = [line for size in arguments.size for line in misses(report[str(size)], size)]
    print("\n".join(missed) or "all targets met")
    return 1 if missed else 0


def measure(files: Sequence[bytes], size: int, rounds: int) -> dict[str, object]:
    seconds = {name: np.full(len(files), np.inf) for name in METHODS}
    with one_core() as pool:
        for _ in range(rounds):
            for name in METHODS:
                spent = pool.submit(seconds_per_file, name, files, size).result()
                seconds[name] = np.minimum(seconds[name], spent)
        psnr = pool.submit(psnr_db, files, size).result()
    rates = {name: len(files) / taken.sum() for name, taken in seconds.items()}
    both = all_cores(files, size, rounds)
    others = {name: rates["ours"] / rate for name, rate in rates.items() if name not in {"ours", "way_2021", "limit"}}
    found: dict[str, object] = {
        "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "images_per_second_all_cores": round(both, 1),
        "cores": cores(),
        "vs_2021": round(rates["ours"] / rates["way_2021"], 2),
        "vs_limit": round(rates["ours"] / rates["limit"], 3),
        **{f"vs_{name}": round(ratio, 2) for name, ratio in others.items()},
        "psnr_db": round(statistics.mean(psnr), 1),
        "psnr_db_worst": round(min(psnr), 1),
        f"scaling_{cores()}_cores": round(both / rates["ours"], 2),
        "load_average": round(os.getloadavg()[0], 1),
    }
    print(f"{size} px: " + json.dumps(found, indent=1))
    return found


def misses(found: dict[str, object], size: int) -> list[str]:
    return [
        f"missed at {size} px: {name} = {found[name]}, at least {least}"
        for name, least in TARGETS.get(size, {}).items()
        if name in found and float(str(found[name])) < least
    ]


def cores() -> int:
    return len(os.sched_getaffinity(0))


def one_core() -> ProcessPoolExecutor:
    """A process of its own, tied to the first core."""
    return ProcessPoolExecutor(1, get_context("spawn"), tie_to, (min(os.sched_getaffinity(0)),))


def tie_to(core: int) -> None:
    os.sched_setaffinity(0, {core})


def all_cores(files: Sequence[bytes], size: int, rounds: int) -> float:
    """Images a second of ours on all cores together."""
    pools = [ProcessPoolExecutor(1, get_context("spawn"), tie_to, (core,)) for core in os.sched_getaffinity(0)]
    best = [np.full(len(files), np.inf) for _ in pools]
    try:
        for _ in range(rounds):
            futures = [pool.submit(seconds_per_file, "ours", files, size) for pool in pools]
            best = [np.minimum(old, future.result()) for old, future in zip(best, futures, strict=True)]
    finally:
        for pool in pools:
            pool.shutdown()
    return float(sum(len(files) / spent.sum() for spent in best))


if __name__ == "__main__":
    raise SystemExit(main())
