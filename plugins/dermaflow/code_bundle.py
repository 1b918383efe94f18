"""What is published to S3 for a cluster to run: the same sources always give the same bytes and the same ids."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dermaflow_jobs.contract.run_spec import CodeRef

PACKAGE: Final = "dermaflow_jobs"
SUMS: Final = "SHA256SUMS"
ENVIRONMENT_FILES: Final = ("pyproject.toml", "uv.lock", "uv-requirements.txt")
EMR_FILES: Final = ("launch.py", "bootstrap.sh", "uv-requirements.txt")
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class CodeBundle:
    """Name → bytes of every object below `code/<code_id>/`."""

    files: dict[str, bytes]

    @property
    def sums(self) -> bytes:
        """`sha256sum`'s format over all the other files; uploaded last, so its presence means completeness."""
        lines = [f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in sorted(self.files.items())]
        return "".join(lines).encode()

    @property
    def ref(self) -> CodeRef:
        environment = b"".join(self.files[name] for name in ENVIRONMENT_FILES)
        return CodeRef(
            code_id=hashlib.sha256(self.sums).hexdigest(), environment_id=hashlib.sha256(environment).hexdigest()
        )


def build_bundle(code_dir: Path) -> CodeBundle:
    """Read `jobs/` and `infra/emr/` below `code_dir`. Raises OSError naming the file that is missing."""
    jobs, emr = code_dir / "jobs", code_dir / "infra" / "emr"
    files = {name: (jobs / name).read_bytes() for name in ("pyproject.toml", "uv.lock")}
    files |= {name: (emr / name).read_bytes() for name in EMR_FILES}
    files[f"{PACKAGE}.zip"] = _zip(package_files(jobs))
    return CodeBundle(files)


def package_files(jobs: Path) -> dict[str, bytes]:
    """Path within the zip → bytes, sorted. Raises FileNotFoundError if there is no package."""
    root = jobs / PACKAGE
    if not (root / "__init__.py").is_file():
        raise FileNotFoundError(f"{root / '__init__.py'}: the job package is not there")
    paths = sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pyc")
    return {p.relative_to(jobs).as_posix(): p.read_bytes() for p in paths}


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, body, zipfile.ZIP_DEFLATED, compresslevel=9)
    return out.getvalue()
