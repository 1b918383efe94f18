"""A bundle as `publish_code` makes one, with a lock so small that an environment is built in a second or two."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
EMR = REPO / "infra" / "emr"
SMALL = Path(__file__).parent / "small"


@dataclass(frozen=True)
class Bundle:
    """Published in a folder that stands for the bucket `code`."""

    bucket: Path
    id: str

    @property
    def uri(self) -> str:
        return f"s3://code/{self.id}/"

    @property
    def folder(self) -> Path:
        return self.bucket / self.id


def publish(bucket: Path, *, lock: Path = SMALL, code: str = "VALUE = 1\n") -> Bundle:
    """The bundle of this lock and a package whose one module is `code`."""
    staging = bucket / "staging"
    staging.mkdir(parents=True)
    for source in (lock / "pyproject.toml", lock / "uv.lock", EMR / "launch.py", EMR / "uv-requirements.txt"):
        shutil.copy(source, staging)
    with zipfile.ZipFile(staging / "dermaflow_jobs.zip", "w") as archive:
        archive.writestr("dermaflow_jobs/__init__.py", "")
        archive.writestr("dermaflow_jobs/hello.py", code)
    sums = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(staging.iterdir())]
    (staging / "SHA256SUMS").write_text("".join(sums))
    code_id = hashlib.sha256("".join(sums).encode()).hexdigest()
    staging.rename(bucket / code_id)
    return Bundle(bucket, code_id)
