"""The step `preprocess`."""

from __future__ import annotations

from typing import ClassVar

from dermaflow.operators.job_step import JobStepOperator
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.steps import PreprocessReport, StepName


class PreprocessOperator(JobStepOperator):
    """Turn the images below raw/ into a dataset of TFRecord shards, or find it finished.

    .. code-block:: python

        preprocess = PreprocessOperator(task_id="preprocess", cluster_id=create.output, run_spec=check_inputs.output)

    Returns the contract's PreprocessReport as a dict.
    """

    step: ClassVar[StepName] = "preprocess"
    report: ClassVar[type[Value]] = PreprocessReport
