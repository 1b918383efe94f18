"""`make bench-bootstrap`: a node that builds the environment against a node that unpacks the archive of it.

Both run the real bootstrap.sh with the jobs' real lock and the real AWS CLI against the stand-in's S3, in the
environment that the stand-in gives a node, each with empty caches, as a fresh node has. Building downloads from the
package index. Writes `build/bench/bootstrap.json`; exit code 0 if the archive is the quicker way.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import boto3
from rich.console import Console

from dermaflow.code_bundle import SUMS, build_bundle
from local_aws.emr.environment import Image, node_environment

REPO = Path(__file__).resolve().parents[2]
OUT = REPO / "build" / "bench" / "bootstrap.json"
STATE = REPO / "build" / "bench" / "bootstrap-nodes"
BUCKET = "bench"


@dataclass(frozen=True)
class Result:
    built_s: float
    """Seconds of a node that builds, downloads included, publishing not."""
    publish_s: float
    """What publishing the archive took that node besides."""
    archive_s: float
    """Seconds of a node that finds the archive."""
    ratio: float
    archive_mb: float
    phases: dict[str, dict[str, int]]
    """Whole seconds a phase, as bootstrap.sh prints them."""


def main() -> int:
    result = measure()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(asdict(result), indent=1) + "\n")
    console = Console()
    console.print(f"built {result.built_s} s, from the archive {result.archive_s} s: {result.ratio} times as quick")
    console.print(f"archive of {result.archive_mb} MB, published in {result.publish_s} s; {OUT.relative_to(REPO)}")
    return 0 if result.archive_s < result.built_s else 1


def measure() -> Result:
    shutil.rmtree(STATE, ignore_errors=True)
    try:
        with local_aws(STATE / "aws") as endpoint:
            return _measure(endpoint)
    finally:
        shutil.rmtree(STATE, ignore_errors=True)


def _measure(endpoint: str) -> Result:
    bundle = publish(endpoint)
    built_s, built = node("builds", endpoint, bundle)
    archive_s, unpacked = node("unpacks", endpoint, bundle)
    if "archive" not in unpacked:
        raise RuntimeError(f"the second node did not use the archive: {unpacked}")
    publish_s = built["publish"]
    built_s = round(built_s - publish_s, 1)
    archive_mb = sum(each["Size"] for each in s3(endpoint).list_objects_v2(Bucket=BUCKET, Prefix="envs/")["Contents"])
    return Result(
        built_s=built_s,
        publish_s=publish_s,
        archive_s=round(archive_s, 1),
        ratio=round(built_s / archive_s, 1),
        archive_mb=round(archive_mb / 1e6, 1),
        phases={"built": built, "archive": unpacked},
    )


def node(name: str, endpoint: str, bundle: str) -> tuple[float, dict[str, int]]:
    """Seconds, and seconds by phase, of bootstrap.sh on a node that has seen nothing yet."""
    folder = STATE / name
    image = Image(STATE / "image")
    image.make()
    environment = {
        **node_environment(node=folder, image=image, endpoint=endpoint, region="us-east-1"),
        "UV_CACHE_DIR": str(folder / "root" / ".uv-cache"),
        "PIP_CACHE_DIR": str(folder / "pip-cache"),
    }
    where = ["--venv", f"{folder}/root/env", "--code", f"{folder}/root/code", "--archives", f"s3://{BUCKET}/envs/"]
    began = time.monotonic()
    ran = subprocess.run(
        [REPO / "infra" / "emr" / "bootstrap.sh", "--bundle", bundle, *where],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - began
    if ran.returncode:
        raise RuntimeError(f"bootstrap.sh ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    shutil.rmtree(folder)
    return seconds, {
        phase: int(took) for phase, took in re.findall(r"^bootstrap: (\w+): (\d+) s$", ran.stdout, re.MULTILINE)
    }


def publish(endpoint: str) -> str:
    bundle = build_bundle(REPO)
    prefix = f"code/{bundle.ref.code_id}"
    client = s3(endpoint)
    client.create_bucket(Bucket=BUCKET)
    for name, body in {**bundle.files, SUMS: bundle.sums}.items():
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=body)
    return f"s3://{BUCKET}/{prefix}/"


def s3(endpoint: str):  # type: ignore[no-untyped-def]
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="bench", aws_secret_access_key="bench"
    )


@contextmanager
def local_aws(state: Path) -> Iterator[str]:
    """A stand-in of the benchmark's own, ended afterwards. Gives its endpoint."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "local_aws", "--port", str(port), "--state", str(state)],
        env={**os.environ, "PYTHONPATH": str(REPO / "infra")},
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(endpoint)
        yield endpoint
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_healthy(endpoint: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/_local_aws/health", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
