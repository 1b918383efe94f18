"""Imports run one way: dags → plugins → contract; jobs know nothing of Airflow; the stand-in stands alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
CONTRACT = "dermaflow_jobs.contract"
HEAVY = {"airflow", "pyspark", "tensorflow", "keras", "numpy", "PIL", "boto3"}
OURS = {"dermaflow", "dermaflow_jobs", "local_aws", "local_stack"}

FORBIDDEN = {
    "dags": {"dermaflow_jobs", "local_aws", "local_stack", "tensorflow", "keras", "pyspark"},
    "plugins": {"local_aws", "local_stack", "tensorflow", "keras", "pyspark"},
    "jobs/dermaflow_jobs": {"airflow", "dermaflow", "local_aws", "local_stack"},
    "jobs/dermaflow_jobs/contract": HEAVY,
    "infra/local_aws": (OURS | {"airflow"}) - {"local_aws"},
    "infra/local_stack": {"airflow", "dermaflow", "local_aws"},
    "infra/emr": {"airflow", "dermaflow", "local_aws", "local_stack"},
}


def imports(folder: str) -> Iterator[tuple[Path, str]]:
    """Every absolute module name that a file below the folder imports, wherever in the file it does."""
    for path in sorted((REPO / folder).rglob("*.py")):
        if ".venv" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield path, node.module
                yield from ((path, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize(("folder", "forbidden"), FORBIDDEN.items())
def test_a_folder_imports_nothing_from_across_its_border(folder: str, forbidden: set[str]) -> None:
    """Each line of the table holds for each file below the folder, and the folder has files."""
    found = list(imports(folder))
    assert found, f"{folder} imports nothing at all: is it still there?"
    across = {f"{path.relative_to(REPO)} imports {name}" for path, name in found if name.split(".")[0] in forbidden}
    assert not across


@pytest.mark.parametrize("folder", ["plugins", "infra/local_stack"])
def test_of_the_jobs_only_the_contract_is_known(folder: str) -> None:
    """The control plane never imports job code beyond the contract."""
    names = {name for _, name in imports(folder) if name.split(".")[0] == "dermaflow_jobs"}
    assert names
    assert {name for name in names if not (name + ".").startswith(CONTRACT + ".")} == set()


def test_nothing_of_ours_imports_the_stand_in() -> None:
    """Product code knows an endpoint URL, never what answers there."""
    folders = ("dags", "plugins", "jobs/dermaflow_jobs", "infra/local_stack", "infra/emr")
    assert not [p for folder in folders for p, name in imports(folder) if name.split(".")[0] == "local_aws"]


def test_the_contract_imports_pydantic_and_itself_only() -> None:
    """So that Airflow's processes can load it without Spark or TensorFlow."""
    import sys

    allowed = sys.stdlib_module_names | {"pydantic", "dermaflow_jobs"}
    beyond = {name for _, name in imports("jobs/dermaflow_jobs/contract") if name.split(".")[0] not in allowed}
    assert not beyond
