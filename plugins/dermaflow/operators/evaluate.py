"""The step `evaluate`."""

from __future__ import annotations

from typing import ClassVar

from dermaflow.operators.job_step import JobStepOperator
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.steps import EvaluateReport, StepName


class EvaluateOperator(JobStepOperator):
    """Score the model on the validation split and write metrics.json.

    .. code-block:: python

        evaluate = EvaluateOperator(task_id="evaluate", cluster_id=create.output, run_spec=check_inputs.output)

    Returns the contract's EvaluateReport as a dict.
    """

    step: ClassVar[StepName] = "evaluate"
    report: ClassVar[type[Value]] = EvaluateReport
