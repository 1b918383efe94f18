"""The whole Spark job on a growing number of images: time an image, and the peak memory of each kind of process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from PIL import Image

from bench.processes import descendants, is_java, peak_bytes
from dermaflow_jobs.contract.options import DEFAULT_CLASSES, RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import PreprocessReport
from dermaflow_jobs.runtime.s3 import Store, s3_client
from dermaflow_jobs.synthetic.draw import draw_image, jpeg_bytes

TURNS = (None, *Image.Transpose)
"""Eight different pictures of each that is drawn; turning is cheaper than drawing."""
SERVER = "from moto.server import main; import sys; main(sys.argv[1:])"


def measure_job(sizes: Sequence[int]) -> list[dict[str, float]]:
    """A row a size. Draws the images once, serves them by S3's protocol, runs the job anew on ever more of them."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="dermaflow-bench-") as folder, served():
        paths = draw(Path(folder), max(sizes))
        for size in sizes:
            rows.append(run_job(paths[:size]))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def growth(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The largest rise from fewer images to more (1: none), of what an image costs and of the peaks of memory.

    A cost that falls, as the start is shared by more images, has not grown.
    """
    names = [name for name in (rows[0] if rows else {}) if name.endswith(("_per_image", "_peak_mb"))]
    return {
        name: round(max(many[name] / few[name] for at, few in enumerate(rows) for many in rows[at:]), 2)
        for name in names
    }


def draw(folder: Path, count: int) -> list[Path]:
    numbers = range(-(-count // len(TURNS)))
    with ProcessPoolExecutor() as pool:
        return [path for paths in pool.map(partial(draw_turns, folder), numbers, chunksize=4) for path in paths]


def draw_turns(folder: Path, number: int) -> list[Path]:
    label = DEFAULT_CLASSES[number % len(DEFAULT_CLASSES)]
    image = draw_image(label, 4, number)
    paths = []
    for at, turn in enumerate(TURNS):
        path = folder / f"{label}-{number:05d}-{at}.jpg"
        path.write_bytes(jpeg_bytes(image if turn is None else image.transpose(turn)))
        paths.append(path)
    return paths


@contextmanager
def served() -> Iterator[None]:
    """A moto server in a process of its own; its address in the environment."""
    port = 17_000 + os.getpid() % 10_000
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def run_job(paths: Sequence[Path]) -> dict[str, float]:
    store = Store(Layout(f"bench-{len(paths)}", ""))
    _wait_for_server(store.layout.bucket)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(upload, store), paths))
    now = datetime.now(UTC)
    spec = RunSpec(
        root=f"s3://{store.layout.bucket}",
        code=CodeRef(code_id="0" * 64, environment_id="0" * 64),
        identity=RunIdentity(run_key="bench", dag_id="b", run_id="b", logical_date=now, data_until=now),
        options=RunOptions(),
    )
    key = store.layout.run_spec("bench")
    store.put(key, spec)
    peaks, spent = watched([sys.executable, "-m", "bench.preprocess_job", store.layout.uri(key)])
    report = store.get(store.layout.step_report("bench", "preprocess"), PreprocessReport)
    for one in store.list(""):
        store.delete(one["Key"])
    return {
        "images": len(paths),
        "kept": report.images,
        "wall_s": round(spent["wall_s"], 1),
        "wall_ms_per_image": round(1000 * spent["wall_s"] / len(paths), 2),
        "cpu_ms_per_image": round(1000 * spent["cpu_s"] / len(paths), 2),
        **{f"{kind}_peak_mb": round(peak / 1e6) for kind, peak in peaks.items()},
    }


def upload(store: Store, path: Path) -> None:
    label, *_ = path.name.split("-")
    store.put_bytes(f"{store.layout.raw_prefix()}{label}/{path.name}", path.read_bytes())


def _wait_for_server(bucket: str) -> None:
    for _ in range(100):
        try:
            s3_client().create_bucket(Bucket=bucket)
        except Exception:  # noqa: BLE001 - not up yet
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the S3 server did not come up")


def watched(command: list[str]) -> tuple[dict[str, int], dict[str, float]]:
    """Run it. Peak resident bytes of the driver's Python, of the JVM, and of the largest Python worker; and the JSON
    that it printed last.
    """
    peaks = {"driver": 0, "jvm": 0, "executor": 0}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=Path(__file__).parents[1])
        watcher = threading.Thread(target=_watch, args=(process, peaks))
        watcher.start()
        out, _ = process.communicate()
        watcher.join()
        log.seek(0)
        if process.returncode:
            raise RuntimeError(f"the job ended with {process.returncode}: {log.read().decode()[-3000:]}")
    found: dict[str, float] = json.loads(out.decode().splitlines()[-1])
    return peaks, found


def _watch(process: subprocess.Popen[bytes], peaks: dict[str, int]) -> None:
    while process.poll() is None:
        for pid in descendants(process.pid):
            kind = "driver" if pid == process.pid else "jvm" if is_java(pid) else "executor"
            peaks[kind] = max(peaks[kind], peak_bytes(pid))
        time.sleep(0.2)
