"""Says which trials a run's sweep has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from dermaflow.operators.base import ValueArg
from dermaflow_jobs.contract.run_spec import RunSpec


class PlanSweepOperator(BaseOperator):
    """Return the numbers of the sweep's trials, for TrialOperator to be mapped over; an empty list without a sweep.

    .. code-block:: python

        plan_sweep = PlanSweepOperator(task_id="plan_sweep", run_spec=check_inputs.output)

    :param run_spec: a contract RunSpec as a dict.
    """

    template_fields: Sequence[str] = ("run_spec",)

    def __init__(self, *, run_spec: ValueArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec

    def execute(self, context: Context) -> list[int]:
        return list(range(RunSpec.parse(self.run_spec).options.sweep.sweep_trials))
