"""What is wrong with a set of Python processes, as a table for the task log."""

from __future__ import annotations

from collections.abc import Iterable

from dermaflow_jobs.contract.steps import NodePython


def problems(processes: Iterable[NodePython]) -> list[str]:
    """One line a problem: a module missing somewhere, or versions that differ from the driver's."""
    processes = list(processes)
    lines = [
        f"{where(process)}  {module}: {error}" for process in processes for module, error in process.missing.items()
    ]
    driver = next(process for process in processes if process.role == "driver")
    for process in processes:
        lines += [f"{where(process)}  {difference}" for difference in differences(driver, process)]
    return lines


def differences(driver: NodePython, other: NodePython) -> list[str]:
    ours, theirs = {"python": driver.python, **driver.versions}, {"python": other.python, **other.versions}
    return [
        f"{name} {theirs[name]}, but {ours[name]} on the driver"
        for name in sorted(ours.keys() & theirs.keys())
        if ours[name] != theirs[name]
    ]


def where(process: NodePython) -> str:
    return f"{process.role:8}  {process.host:30}  {process.executable}"
