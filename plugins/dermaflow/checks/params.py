"""Are the params ones that the contract allows?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dermaflow.checks.problem import Problem
from dermaflow.form import parse_form
from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.options import RunOptions


def check_params(params: Mapping[str, Any]) -> tuple[RunOptions | None, list[Problem]]:
    try:
        return parse_form(params), []
    except ContractError as error:
        return None, [_problem(line.strip()) for line in str(error).splitlines() if not _is_header(line)]


def _is_header(line: str) -> bool:
    return line.endswith(" problems")


def _problem(line: str) -> Problem:
    text = line.removeprefix(f"{RunOptions.__name__}: ")
    given, _, allowed = text.partition(": ")
    return Problem("params", given, allowed or "correct it in the trigger form")
