"""Which local images a run is fed, and their way into the bucket."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local_stack import aws
from local_stack.config import BUCKET, REPO, SYNTHETIC, StackConfig
from local_stack.processes import StackError

JOBS_PYTHON = REPO / "jobs" / ".venv" / "bin" / "python"
SPLITS = {"train", "valid", "test"}


@dataclass(frozen=True)
class Source:
    """A folder of class folders, with or without split folders above them, and the root its run uses."""

    folder: Path
    name: str

    @property
    def root(self) -> str:
        return f"s3://{BUCKET}/{self.name}"


def source_of(data: str | None, config: StackConfig, *, per_class: int) -> Source:
    """The user's folder, or synthetic images drawn once. Each source has a storage root of its own.

    Raises StackError if the folder is not one.
    """
    if not data:
        return Source(_synthetic(config, per_class), SYNTHETIC)
    folder = Path(data).expanduser().resolve()
    if not folder.is_dir():
        raise StackError(f"DATA={data}: no such folder; name a folder that holds one folder a class")
    if not class_folders(folder):
        raise StackError(
            f"DATA={data}: no class folder with images in it; expected {folder}/<class>/*.jpg"
            f" or {folder}/train/<class>/*.jpg and {folder}/valid/<class>/*.jpg"
        )
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:6]
    return Source(folder, f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', folder.name)}-{digest}")


def class_folders(folder: Path) -> list[Path]:
    """Folders of images, as paths relative to `folder`."""
    found = []
    for child in sorted(p for p in folder.iterdir() if p.is_dir()):
        below = sorted(p for p in child.iterdir() if p.is_dir()) if child.name in SPLITS else [child]
        found += [p.relative_to(folder) for p in below if any(f.is_file() for f in p.iterdir())]
    return found


def upload(source: Source, config: StackConfig, told: Callable[[int, int], None]) -> int:
    """Copy to `raw/` what is not there yet with the same content; returns how many objects were sent.

    Objects that the folder no longer has are deleted, so that the run sees the folder as it is.
    """
    client = aws.s3(config)
    prefix = f"{source.name}/raw/"
    there: dict[str, str] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        there |= {item["Key"]: item["ETag"].strip('"') for item in page.get("Contents", [])}
    files = {
        f"{prefix}{path.relative_to(source.folder).as_posix()}": path
        for folder in class_folders(source.folder)
        for path in sorted((source.folder / folder).iterdir())
        if path.is_file()
    }
    labels = source.folder / "labels.csv"
    if labels.is_file():
        files[f"{prefix}labels.csv"] = labels

    def send(item: tuple[str, Path]) -> bool:
        key, path = item
        body = path.read_bytes()
        if there.get(key) == hashlib.md5(body, usedforsecurity=False).hexdigest():
            return False
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
        return True

    sent = 0
    with ThreadPoolExecutor(8) as pool:
        for done, was_sent in enumerate(pool.map(send, files.items()), start=1):
            sent += was_sent
            told(done, len(files))
    for key in there.keys() - files.keys():
        client.delete_object(Bucket=BUCKET, Key=key)
    return sent


def _synthetic(config: StackConfig, per_class: int) -> Path:
    folder = config.state / f"synthetic-{per_class}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        command = [str(JOBS_PYTHON), "-m", "dermaflow_jobs.synthetic", "--out", str(part), "--seed", "2021"]
        done = subprocess.run([*command, "--per-class", str(per_class)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"drawing synthetic images failed:\n{done.stderr[-2000:]}")
        part.replace(folder)
    return folder
