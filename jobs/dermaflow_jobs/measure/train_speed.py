"""`python -m dermaflow_jobs.measure.train_speed`: images per second of the training loop, beside its bound and others.

The bound is our loop fed the same batch again and again. It and the loop with everything on take turns, by short epochs
in one process, and their ratio is the median over those pairs, with its interval: what else the machine does meets
both. The others run in processes of their own, in turns, and of each the fastest epoch counts: it is the least
disturbed one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from dermaflow_jobs.runtime.placement import free_port

log = logging.getLogger("train_speed")

METHODS = {
    "bound": "our loop, the same batch again and again",
    "ours": "our loop: shards, even sampling, augmentation",
    "image_data_generator": "Keras's legacy ImageDataGenerator feeding fit",
    "keras_layers": "fit on tf.data with Keras's augmentation layers",
    "two_workers": "our loop, two processes with a core each",
}
PROCESSES = ("ours", "image_data_generator", "keras_layers", "two_workers")
"""What is started; `ours` measures the bound too."""
TARGETS = {"vs_bound": 0.95, "vs_imagedatagenerator": 1.5, "two_worker_efficiency": 0.9}
"""On CPU, for small_cnn at 100 px."""

Speeds = dict[str, list[float]]
"""Method → images a second of each epoch that was timed."""


@dataclass(frozen=True)
class Setting:
    model: str
    image_size: int
    batch_size: int
    steps: int
    """Of a timed epoch, after a first one that is not."""
    pairs: int = 12
    """Of epochs of the bound and of ours, in each process that measures them."""
    epochs: int = 8
    """Timed, in each other process."""


def main(argv: Sequence[str] | None = None) -> int:
    """1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m dermaflow_jobs.measure.train_speed", description=__doc__)
    parser.add_argument("--model", default="small_cnn")
    parser.add_argument("--image-size", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=45)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/bench/train.json"))
    given = parser.parse_args(argv)
    setting = Setting(given.model, given.image_size, given.batch_size, given.steps)
    speeds: Speeds = {method: [] for method in METHODS}
    for turn in range(given.turns):
        for process in PROCESSES:
            for method, found in measure(process, setting).items():
                speeds[method] += found
                log.info("turn %d: %-22s %7.0f images/s", turn + 1, method, max(found))
    report = summary(setting, speeds)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    log.info("%s", table(report))
    return 1 if missed(report) else 0


def summary(setting: Setting, speeds: Mapping[str, Sequence[float]]) -> dict[str, object]:
    best = {name: max(found) for name, found in speeds.items()}
    ratios = [ours / bound for ours, bound in zip(speeds["ours"], speeds["bound"], strict=True)]
    return {
        "model": setting.model,
        "image_size": setting.image_size,
        "batch_size": setting.batch_size,
        "cores": len(os.sched_getaffinity(0)),
        "images_per_second": {name: round(speed, 1) for name, speed in best.items()},
        "vs_bound": round(median(ratios), 3),
        "vs_bound_interval": interval_of_median(ratios),
        "vs_imagedatagenerator": round(best["ours"] / best["image_data_generator"], 3),
        "vs_keras_layers": round(best["ours"] / best["keras_layers"], 3),
        "two_worker_efficiency": round(best["two_workers"] / best["ours"], 3),
        "targets": TARGETS,
    }


def interval_of_median(values: Sequence[float]) -> list[float]:
    """95 %, by the bootstrap; processes count as exchangeable, so what differs between machines is not in it."""
    found = bootstrap((values,), np.median, method="percentile", rng=0).confidence_interval
    return [round(float(found.low), 3), round(float(found.high), 3)]


def missed(report: Mapping[str, object]) -> list[str]:
    return [name for name, target in TARGETS.items() if float(str(report[name])) < target]


def table(report: Mapping[str, Any]) -> str:
    speeds = report["images_per_second"]
    lines = [f"{speeds[name]:8.0f} images/s  {what}" for name, what in METHODS.items()]
    low, high = report["vs_bound_interval"]
    lines.append(f"{low} to {high}: vs_bound, 95 %")
    for name, target in TARGETS.items():
        verdict = "missed" if name in missed(report) else "reached"
        lines.append(f"{report[name]:8} {name}: {verdict}, the target is {target}")
    return "\n".join(lines)


def measure(process: str, setting: Setting) -> Speeds:
    """Images a second, all workers together."""
    workers = 2 if process == "two_workers" else 1
    addresses = [f"localhost:{free_port()}" for _ in range(workers)]
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dermaflow-train-speed-"))
        processes = []
        for rank in range(workers):
            task = {"method": process, "rank": rank, "addresses": addresses, "folder": folder, **vars(setting)}
            task |= {"epochs": setting.pairs} if process == "ours" else {}
            own = cores if workers == 1 else cores[rank::workers]
            processes.append(stack.enter_context(_start(task, own)))
        outputs = [each.communicate()[0] for each in processes]
    for each in processes:
        if each.returncode:
            raise RuntimeError(f"measuring {process} failed with exit code {each.returncode}")
    found: Speeds = json.loads(outputs[0].splitlines()[-1])
    return found


def _start(task: dict[str, object], cores: list[int]) -> subprocess.Popen[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "dermaflow_jobs.measure.train_speed_worker", json.dumps(task)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - no thread holds a lock here
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
