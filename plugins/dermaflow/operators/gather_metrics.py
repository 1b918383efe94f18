"""Writes what a run scored into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from dermaflow.errors import ResultMissing
from dermaflow.form import flat
from dermaflow.ledger import record_run
from dermaflow.links import ResultsLink
from dermaflow.operators.base import AwsOperator, TextArg, ValueArg
from dermaflow_jobs.contract.cost import RunCost
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import PreprocessReport


class GatherMetricsOperator(AwsOperator):
    """Put the run's metrics into its own ledger object and derive `ledger.csv` and the 2021 text file from all.

    Many runs may do so at once. The same run again replaces its own record and no other; what it records depends
    on what the run left in S3 alone, so a second try writes the same. Returns the record as a dict.

    .. code-block:: python

        gather_metrics = GatherMetricsOperator(task_id="gather_metrics", run_spec=check_inputs.output)

    :param run_spec: a contract RunSpec as a dict.
    :param cluster_id: recorded beside the metrics.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "run_spec", "cluster_id")
    operator_extra_links = (ResultsLink(),)

    def __init__(self, *, run_spec: ValueArg, cluster_id: TextArg | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec
        self.cluster_id: Any = cluster_id

    def execute(self, context: Context) -> dict[str, Any]:
        spec = RunSpec.parse(self.run_spec)
        storage = self.storage(spec.root)
        layout, run_key = storage.layout, spec.identity.run_key
        key = layout.metrics(run_key)
        metrics = storage.find(key, Metrics)
        if metrics is None:
            raise ResultMissing(
                attempted="looked for the run's metrics at",
                resource=layout.uri(key),
                reason="there is no such object",
                remedy="clear the task evaluate, which writes it",
            )
        preprocessed = storage.find(layout.step_report(run_key, "preprocess"), PreprocessReport)
        record = LedgerRecord(
            run_key=run_key,
            run_id=spec.identity.run_id,
            logical_date=spec.identity.logical_date,
            recorded_at=metrics.created_at,
            code_id=spec.code.code_id,
            cluster_id=self.cluster_id,
            metrics=metrics,
            run_type=spec.identity.run_type,
            data_until=spec.identity.data_until,
            inputs_id=preprocessed.inputs_id if preprocessed else "",
            choices=flat(spec.options),
            cost=storage.find(layout.run_cost(run_key), RunCost),
        )
        record_run(storage, record)
        self.log.info("%s", record.line_2021())
        return record.model_dump(mode="json")
