"""Can the job code be published, and will the cluster's Python 3.11 take it?"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import dermaflow_jobs.contract as contract
from dermaflow.checks.imports import module_of, unfound
from dermaflow.checks.problem import Problem
from dermaflow.code_bundle import PACKAGE, CodeBundle, build_bundle, package_files
from dermaflow_jobs.contract.steps import StepName

CONTRACT: Final = f"{PACKAGE}/contract/"
CLUSTER_PYTHON: Final = (3, 11)
STEPS: Final[tuple[StepName, ...]] = ("verify", "preprocess", "train", "evaluate", "score")
LOCK_AGAIN: Final = "run `uv lock` in jobs/ and commit the lock"


def check_code(code_dir: Path) -> tuple[CodeBundle | None, list[Problem]]:
    """The bundle where it can be built, and all that is wrong with it."""
    try:
        bundle, files = build_bundle(code_dir), package_files(code_dir / "jobs")
    except OSError as error:
        remedy = "set DERMAFLOW_CODE_DIR to a checkout of this repository that is complete"
        return None, [Problem("code bundle", f"cannot be built: {_told(error, code_dir)}", remedy)]
    problems = (
        _sources(files)
        + _contract(files)
        + _lock(bundle.files["uv.lock"])
        + _requirements(bundle.files["uv-requirements.txt"])
    )
    return bundle, problems


def _told(error: OSError, code_dir: Path) -> str:
    """The file's place in the repository: a whole path would be broken over a table's lines."""
    if not error.filename:
        return str(error)
    return f"{Path(error.filename).relative_to(code_dir)}: {error.strerror}"


def _sources(files: dict[str, bytes]) -> list[Problem]:
    trees, problems = _parsed(files)
    modules = {module_of(path): tree for path, tree in trees.items()}
    remedy = "correct the import, or add what it names"
    for path, tree in trees.items():
        problems += [
            Problem(f"jobs/{path}", f"imports {name}, which is not there on a cluster", remedy)
            for name in unfound(tree, modules)
        ]
    for step in STEPS:
        if f"{PACKAGE}/{step}/__main__.py" not in files:
            found = "the job code lacks the module that runs this step"
            problems.append(Problem(f"jobs/{PACKAGE}/{step}", found, f"restore jobs/{PACKAGE}/{step}/__main__.py"))
    return problems


def _parsed(files: dict[str, bytes]) -> tuple[dict[str, ast.Module], list[Problem]]:
    """Path → syntax tree; one that may hold any name for a file that the cluster's Python would not take."""
    trees, problems = {}, []
    for path, body in files.items():
        if not path.endswith(".py"):
            continue
        try:
            trees[path] = ast.parse(body, filename=path, feature_version=CLUSTER_PYTHON)
        except (SyntaxError, ValueError) as error:
            trees[path] = ast.parse("from nowhere import *")  # so that it is not missed as well
            found = f"is not Python {'.'.join(map(str, CLUSTER_PYTHON))}: {error}"
            problems.append(Problem(f"jobs/{path}", found, "correct the file; the cluster would fail to import it"))
    return trees, problems


def _contract(files: dict[str, bytes]) -> list[Problem]:
    """Airflow writes the run spec by its own copy of the contract, the cluster reads it by the published one."""
    ours = Path(contract.__file__).parent
    differ = [
        path for path, body in files.items()
        if path.startswith(CONTRACT) and path.endswith(".py") and _read(ours / path.removeprefix(CONTRACT)) != body
    ]  # fmt: skip
    if not differ:
        return []
    found = f"{len(differ)} files differ from what Airflow has imported, e.g. {differ[0].removeprefix(CONTRACT)}"
    remedy = "deploy job code and Airflow from one commit (`uv sync`), and restart Airflow"
    return [Problem(f"jobs/{CONTRACT}", found, remedy)]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _lock(body: bytes) -> list[Problem]:
    try:
        lock: dict[str, Any] = tomllib.loads(body.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [Problem("jobs/uv.lock", f"cannot be read: {error}", LOCK_AGAIN)]
    without = [package["name"] for package in lock.get("package", ()) if not _has_hashes(package)]
    if not without:
        return []
    found = f"no hashes for {', '.join(without[:5])}" + (f" and {len(without) - 5} more" if len(without) > 5 else "")
    return [Problem("jobs/uv.lock", found, LOCK_AGAIN)]


def _has_hashes(package: dict[str, Any]) -> bool:
    """Every file that could be installed has one. The project itself has no files."""
    source = package.get("source", {})
    if {"editable", "virtual", "directory"} & set(source):
        return True
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
    return bool(files) and all(re.fullmatch(r"sha256:[0-9a-f]{64}", file.get("hash", "")) for file in files)


def _requirements(body: bytes) -> list[Problem]:
    text = body.decode("utf-8", "replace").replace("\\\n", " ")
    bad = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
           and not re.search(r"==\S+.*--hash=sha256:[0-9a-f]{64}", line)]  # fmt: skip
    if not bad:
        return []
    found = f"not pinned with a hash: {bad[0].strip():.60}"
    return [Problem("infra/emr/uv-requirements.txt", found, "pin it: `name==version --hash=sha256:…`")]
