"""The step `verify`."""

from __future__ import annotations

from typing import ClassVar

from dermaflow.operators.job_step import JobStepOperator
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.steps import StepName, VerifyReport


class VerifyEnvironmentOperator(JobStepOperator):
    """Import what the jobs need on the driver and on every executor, before anything is computed.

    .. code-block:: python

        verify = VerifyEnvironmentOperator(task_id="verify", cluster_id=create.output, run_spec=check_inputs.output)

    Returns the contract's VerifyReport as a dict.
    """

    step: ClassVar[StepName] = "verify"
    report: ClassVar[type[Value]] = VerifyReport
