"""`make mwaa`: what Amazon's managed Airflow takes of us: requirements.txt, plugins.zip, startup.sh, the DAGs.

`python infra/airflow/mwaa.py UV DEFAULTS`: requirements by uv from our lock, with hashes; DEFAULTS is the file that
`make deploy` wrote. Airflow itself is left out: MWAA brings its own, which must be the version that the lock names.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
OUT = REPO / "build" / "mwaa"
PLUGINS = "/usr/local/airflow/plugins"
IGNORED = "dermaflow/\ndermaflow_jobs/\ncode/\n"
STARTUP = f"""#!/bin/sh
export DERMAFLOW_CODE_DIR={PLUGINS}/code
export DERMAFLOW_DEFAULTS={PLUGINS}/code/defaults.json
"""


def main(uv: str, defaults: Path) -> int:
    if not defaults.is_file():
        print(f"{defaults} is missing: run make deploy BUCKET=name first")  # noqa: T201
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "requirements.txt").write_text(requirements(uv))
    (OUT / "startup.sh").write_text(STARTUP)
    with zipfile.ZipFile(OUT / "plugins.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(".airflowignore", IGNORED)
        for name, path in [*plugin_files(), ("code/defaults.json", defaults)]:
            archive.write(path, name)
    shutil.copytree(REPO / "dags", OUT / "dags", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    print(f"{OUT}: requirements.txt, plugins.zip, startup.sh and dags/, to be put into MWAA's bucket")  # noqa: T201
    return 0


def requirements(uv: str) -> str:
    """Every package of the control plane with its hashes, but Airflow and ourselves."""
    leave_out = ("apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk", "dermaflow-jobs")
    command = [uv, "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project", "--no-header"]
    command += [text for name in leave_out for text in ("--no-emit-package", name)]
    return subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True).stdout


def plugin_files() -> Iterator[tuple[str, Path]]:
    """Name in the archive and file: the plugin, the contract beside it, and what clusters are given."""
    for source, target in (
        ("plugins", ""),
        ("jobs/dermaflow_jobs/contract", "dermaflow_jobs/contract"),
        ("jobs/dermaflow_jobs", "code/jobs/dermaflow_jobs"),
        ("infra/emr", "code/infra/emr"),
    ):
        for path in sorted((REPO / source).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name != ".airflowignore":
                yield str(Path(target) / path.relative_to(REPO / source)), path
    for name in ("jobs/pyproject.toml", "jobs/uv.lock"):
        yield f"code/{name}", REPO / name
    yield "dermaflow_jobs/__init__.py", REPO / "jobs/dermaflow_jobs/__init__.py"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
