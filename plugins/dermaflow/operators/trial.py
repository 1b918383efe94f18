"""One trial of a sweep, as a form of the step `train`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.sdk import XComArg

from dermaflow.emr.spark_step import job_args
from dermaflow.operators.job_step import JobStepOperator
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.steps import StepName, step_key
from dermaflow_jobs.contract.trials import TrialReport


class TrialOperator(JobStepOperator):
    """Train one network of a sweep; map it over PlanSweepOperator's numbers. EMR runs sweep_parallel of them at once.

    .. code-block:: python

        trials = TrialOperator.partial(
            task_id="trial", cluster_id=create.output, run_spec=check_inputs.output
        ).expand(trial=plan_sweep.output)

    Returns the contract's TrialReport as a dict.

    :param trial: its number, from 0. Which options it gets is a function of the run spec and this.
    """

    template_fields: Sequence[str] = (*JobStepOperator.template_fields, "trial")
    step: ClassVar[StepName] = "train"
    report: ClassVar[type[Value]] = TrialReport

    def __init__(self, *, trial: int | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trial: Any = trial

    @property
    def report_key(self) -> str:
        return step_key(self.step, int(self.trial))

    def command(self) -> list[str]:
        return job_args(self.step, self.spec, trial=int(self.trial))
