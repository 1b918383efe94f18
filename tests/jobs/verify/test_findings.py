import pytest

from dermaflow_jobs.contract.steps import NodePython
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.verify.findings import problems
from dermaflow_jobs.verify.job import check
from dermaflow_jobs.verify.probe import MODULES, probe


def node(role: str, **changes: object) -> NodePython:
    fields = {
        "host": f"{role}-1",
        "role": role,
        "python": "3.11.7",
        "executable": "/env/bin/python",
        "versions": {"numpy": "2.4.6"},
        "missing": {},
    }
    return NodePython.parse({**fields, **changes})


def test_this_environment_imports_all_that_the_jobs_need() -> None:
    """Every module of the list is found, with the version of its distribution."""
    found = probe("driver")
    assert found.missing == {}
    assert found.versions.keys() == MODULES.keys()
    assert "unknown" not in found.versions.values()


def test_a_module_that_cannot_be_imported_is_a_finding_with_its_error() -> None:
    """The probe goes on after a failed import and tells what Python said."""
    found = probe("executor", {"no_such_module": "no-such", "numpy": "numpy"})
    assert found.missing == {"no_such_module": "ModuleNotFoundError: No module named 'no_such_module'"}
    assert set(found.versions) == {"numpy"}


def test_a_healthy_cluster_has_no_problems() -> None:
    """The same versions everywhere and nothing missing: nothing to say."""
    check((node("driver"), node("executor")))


def test_what_is_missing_where_is_told_in_one_error() -> None:
    """Host, interpreter, module and the import's own error, and where to look next."""
    missing = {"tensorflow": "ModuleNotFoundError: No module named 'tensorflow'"}
    with pytest.raises(JobError) as raised:
        check((node("driver"), node("executor", host="ip-10-0-0-7", missing=missing)))
    for part in ("ip-10-0-0-7", "/env/bin/python", "tensorflow: ModuleNotFoundError"):
        assert part in str(raised.value)
    assert "bootstrap action" in (raised.value.remedy or "")


def test_versions_that_differ_from_the_drivers_are_a_problem() -> None:
    """Pickles and results cross between driver and executors, so their versions must be the same."""
    found = problems([node("driver"), node("executor", versions={"numpy": "1.26.4"}, python="3.9.1")])
    assert [line.split("  ")[-1] for line in found] == [
        "numpy 1.26.4, but 2.4.6 on the driver",
        "python 3.9.1, but 3.11.7 on the driver",
    ]
