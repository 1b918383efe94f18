"""One stack for all end-to-end tests, its state in a folder of its own: `make up` beside it is not touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_stack import aws, stack
from local_stack.config import BUCKET, REPO, StackConfig, load_config
from local_stack.images import JOBS_PYTHON

QUICK = {"epochs": 1, "samples_per_class": 12, "batch_size": 12, "image_size": 32}


@dataclass(frozen=True)
class Demo:
    """`make demo` as a user types it, against the session's stack."""

    config: StackConfig

    def __call__(self, data: Path, **conf: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local_stack", "demo", "--data", str(data)]
        env = os.environ | {"PYTHONPATH": str(REPO / "infra"), "DERMAFLOW_STATE": str(self.config.state)}
        return subprocess.run(
            [*command, "--conf", json.dumps(QUICK | conf)], env=env, capture_output=True, text=True, check=False
        )

    def objects(self, prefix: str) -> dict[str, bytes]:
        s3 = aws.s3(self.config)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    config = stack.up(load_config(tmp_path_factory.mktemp("stack")))
    try:
        stack.wait(config)
        yield Demo(config)
    finally:
        stack.down(config)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 drawn images a class, and three files that are none."""
    folder = tmp_path_factory.mktemp("images") / "lesions"
    command = [str(JOBS_PYTHON), "-m", "dermaflow_jobs.synthetic", "--out", str(folder), "--seed", "5"]
    subprocess.run([*command, "--per-class", "20"], check=True, capture_output=True)
    whole = next((folder / "nevus").iterdir()).read_bytes()
    (folder / "nevus" / "empty.jpg").write_bytes(b"")
    (folder / "nevus" / "cut short.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "melanoma" / "notes.jpg").write_text("not an image")
    return folder
