"""Creates the cluster that a run spec asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from dermaflow.emr.job_flow import JobFlow, training_job_flow
from dermaflow.operators.base import ValueArg
from dermaflow.operators.create_cluster import CreateClusterOperator
from dermaflow_jobs.contract.run_spec import RunSpec


class CreateTrainingClusterOperator(CreateClusterOperator):
    """CreateClusterOperator with the request built from a run spec: instance groups, bootstrap action, log URI.

    .. code-block:: python

        create_cluster = CreateTrainingClusterOperator(task_id="create_cluster", run_spec=check_inputs.output)

    :param run_spec: a contract RunSpec as a dict.
    """

    template_fields: Sequence[str] = (*CreateClusterOperator.template_fields, "run_spec")

    def __init__(self, *, run_spec: ValueArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec

    def request(self) -> JobFlow:
        return training_job_flow(RunSpec.parse(self.run_spec))

    def lifetime(self) -> timedelta:
        return timedelta(hours=RunSpec.parse(self.run_spec).options.cluster.max_hours)
