"""The step `train`."""

from __future__ import annotations

from typing import ClassVar

from dermaflow.operators.job_step import JobStepOperator
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.steps import StepName, TrainReport


class TrainOperator(JobStepOperator):
    """Train the network on the dataset; epoch, loss and rate appear in the task's log while it runs.

    .. code-block:: python

        train = TrainOperator(task_id="train", cluster_id=create.output, run_spec=check_inputs.output)

    Returns the contract's TrainReport as a dict.
    """

    step: ClassVar[StepName] = "train"
    report: ClassVar[type[Value]] = TrainReport
