"""`python -m dermaflow_jobs.measure.train_speed`: images per second of the training loop, beside its bound and others.

Every method runs in a process of its own, in turns, and its best turn counts: on a machine that does other things
too, the fastest turn is the least disturbed one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dermaflow_jobs.runtime.placement import free_port

log = logging.getLogger("train_speed")

METHODS = {
    "bound": "our loop, the same batch again and again",
    "ours": "our loop: shards, even sampling, augmentation",
    "image_data_generator": "Keras's legacy ImageDataGenerator feeding fit",
    "keras_layers": "fit on tf.data with Keras's augmentation layers",
    "two_workers": "our loop, two processes with a core each",
}


@dataclass(frozen=True)
class Setting:
    model: str
    image_size: int
    batch_size: int
    steps: int
    """Measured, after a first epoch of as many that is not."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dermaflow_jobs.measure.train_speed", description=__doc__)
    parser.add_argument("--model", default="small_cnn")
    parser.add_argument("--image-size", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/bench/train.json"))
    given = parser.parse_args(argv)
    setting = Setting(given.model, given.image_size, given.batch_size, given.steps)
    best = dict.fromkeys(METHODS, 0.0)
    for turn in range(given.turns):
        for method in METHODS:
            speed = measure(method, setting)
            best[method] = max(best[method], speed)
            log.info("turn %d: %-22s %7.0f images/s", turn + 1, method, speed)
    report = summary(setting, best)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    log.info("%s", table(report))


def summary(setting: Setting, speeds: dict[str, float]) -> dict[str, object]:
    return {
        "model": setting.model,
        "image_size": setting.image_size,
        "batch_size": setting.batch_size,
        "cores": len(os.sched_getaffinity(0)),
        "images_per_second": {name: round(speed, 1) for name, speed in speeds.items()},
        "vs_bound": round(speeds["ours"] / speeds["bound"], 3),
        "vs_imagedatagenerator": round(speeds["ours"] / speeds["image_data_generator"], 3),
        "vs_keras_layers": round(speeds["ours"] / speeds["keras_layers"], 3),
        "two_worker_efficiency": round(speeds["two_workers"] / speeds["ours"], 3),
    }


def table(report: dict[str, object]) -> str:
    speeds = report["images_per_second"]
    assert isinstance(speeds, dict)  # noqa: S101 - for the type checker
    lines = [f"{speeds[name]:8.0f} images/s  {what}" for name, what in METHODS.items()]
    shares = [f"{name} {value}" for name, value in report.items() if str(name).startswith(("vs_", "two_"))]
    return "\n".join([*lines, *shares])


def measure(method: str, setting: Setting) -> float:
    """Images a second, all workers together."""
    workers = 2 if method == "two_workers" else 1
    addresses = [f"localhost:{free_port()}" for _ in range(workers)]
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dermaflow-train-speed-"))
        processes = []
        for rank in range(workers):
            task = {"method": method, "rank": rank, "addresses": addresses, "folder": folder, **vars(setting)}
            own = cores if workers == 1 else cores[rank::workers]
            processes.append(stack.enter_context(_start(task, own)))
        outputs = [process.communicate()[0] for process in processes]
    for process in processes:
        if process.returncode:
            raise RuntimeError(f"measuring {method} failed with exit code {process.returncode}")
    return float(json.loads(outputs[0].splitlines()[-1])["images_per_second"])


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
    main()
