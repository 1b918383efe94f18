"""`python -m dermaflow_jobs.measure.gpu_speed`: images per second of a network's step on a GPU, by Keras's JAX backend.

In bfloat16 and in float32, each with augmentation and without, beside what a step could do at the device's rates
(operations and bytes as XLA counts them, over those of a large product and a large copy in the same run) and beside
Keras's own `fit` on arrays in the host's memory. Needs JAX for the GPU, but neither TensorFlow nor the other jobs.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger("gpu_speed")

PRECISIONS = ("bfloat16", "float32")
METHODS = ("device", "bound", "ours", "fit")
RATIOS = ("bfloat16_vs_float32", "vs_bound", "vs_fit", "vs_limit")

FLAGS = "--xla_gpu_enable_triton_gemm=false --xla_gpu_enable_command_buffer="
"""XLA's, where XLA_FLAGS are not given. With command buffers (CUDA graphs) JAX 0.11.2 did not get through a step with
augmentation on an H200: no end after 130 s, or "illegal instruction"; without them it took 50 s, compiling included."""

Found = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """1 where something could not be measured; the report has the rest, and why. Without a GPU nothing is."""
    parser = argparse.ArgumentParser(prog="python -m dermaflow_jobs.measure.gpu_speed", description=__doc__)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--timeout", type=float, default=120, help="seconds that a measurement may take")
    parser.add_argument("--out", type=Path, default=Path("build/bench/train_gpu.json"))
    given = parser.parse_args(argv)
    setting = {name: getattr(given, name) for name in ("model", "image_size", "batch_size", "steps", "epochs")}
    found: dict[str, dict[str, Found]] = {precision: {} for precision in PRECISIONS}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for precision in PRECISIONS:
        for method in METHODS:
            found[precision][method] = one = measure(
                setting | {"method": method, "precision": precision}, given.timeout
            )
            log.info("%s %s: %s", precision, method, one)
            report = setting | {"xla_flags": _flags()} | summary(found, given.batch_size)
            given.out.write_text(json.dumps(report, indent=2) + "\n")
            if method == "device" and "error" in one:
                return 1  # what follows needs it, and would take minutes to say so
    return int(any("error" in one for each in found.values() for one in each.values()))


def measure(task: Mapping[str, object], timeout: float) -> Found:
    """What the worker found, or `error`: the first that it named."""
    command = [sys.executable, "-m", "dermaflow_jobs.measure.gpu_speed_worker", json.dumps(task)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=os.environ | {"XLA_FLAGS": _flags()},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {timeout:.0f} s"}
    if done.returncode:
        named = re.search(r"^[\w.]+Error: .*", done.stderr, re.MULTILINE)
        return {"error": named[0] if named else f"exit code {done.returncode}"}
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _flags() -> str:
    return os.environ.get("XLA_FLAGS", FLAGS)


def summary(found: Mapping[str, Mapping[str, Found]], batch_size: int) -> Found:
    """Images a second by precision and method, and the ratios of those that are there."""
    speeds = {
        precision: {
            name: round(one["images_per_second"], 1) for name, one in each.items() if "images_per_second" in one
        }
        for precision, each in found.items()
    }
    for precision, each in found.items():
        if "operations" in each.get("ours", {}) and "operations" in each.get("device", {}):
            step, device = each["ours"], each["device"]
            seconds = max(step[cost] / device[cost] for cost in ("operations", "bytes"))
            speeds[precision]["limit"] = round(batch_size / seconds, 1)
    fast = speeds["bfloat16"]
    pairs = (speeds["float32"].get("ours"), fast.get("bound"), fast.get("fit"), fast.get("limit"))
    ratios = {
        name: round(fast["ours"] / other, 3)
        for name, other in zip(RATIOS, pairs, strict=True)
        if other and "ours" in fast
    }
    return {"images_per_second": speeds, **ratios, "found": found}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
