"""Are the params ones that the contract allows?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dermaflow.checks.problem import Problem
from dermaflow.form import Refused, read_form, read_scoring_form
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.score import ScoringOptions


def check_params(params: Mapping[str, Any]) -> tuple[RunOptions, list[Problem]]:
    """The options; where some are refused, those that are not, so that the other checks still have their subject."""
    options, refused = read_form(params)
    return options, [_problem(each) for each in refused]


def check_scoring_params(params: Mapping[str, Any]) -> tuple[ScoringOptions, list[Problem]]:
    options, refused = read_scoring_form(params)
    return options, [_problem(each) for each in refused]


def _problem(refused: Refused) -> Problem:
    found = "do not go together" if refused.value is None else f"{refused.value!r:.120}"
    return Problem(f"param {refused.name}", found, refused.allowed)
