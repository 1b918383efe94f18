"""Runs one of the project's own jobs as a step; `verify`, `preprocess`, `train` and `evaluate` are its forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.sdk import Context

from dermaflow.emr.spark_step import job_args
from dermaflow.errors import ResultMissing
from dermaflow.lineage import Traces, announce, traces
from dermaflow.links import ResultsLink
from dermaflow.operators.base import ValueArg
from dermaflow.operators.spark_step import SparkStepOperator
from dermaflow.triggers.step import StepTrigger
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import StepName, step_key


class JobStepOperator(SparkStepOperator):
    """A step of the contract: told the run spec, heard through its progress, report and failure objects.

    The report goes with the events of assets that the task has as outlets, and what was read and made to OpenLineage.

    :param run_spec: a contract RunSpec as a dict. The step's report is what the task returns.
    """

    template_fields: Sequence[str] = (*SparkStepOperator.template_fields, "run_spec")
    operator_extra_links = (*SparkStepOperator.operator_extra_links, ResultsLink())
    step: ClassVar[StepName]
    report: ClassVar[type[Value]]

    def __init__(self, *, run_spec: ValueArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec
        self._done: Traces | None = None

    @property
    def spec(self) -> RunSpec:
        return RunSpec.parse(self.run_spec)

    def command(self) -> list[str]:
        return job_args(self.step, self.spec)

    @property
    def report_key(self) -> str:
        """The name below which the step keeps its objects."""
        return step_key(self.step)

    def _action_on_failure(self) -> str:
        """EMR takes nothing but CONTINUE where steps may run side by side, as the trials of a sweep do."""
        return "CONTINUE" if self.spec.options.sweep.sweep_trials else super()._action_on_failure()

    def _followers(self) -> Sequence[str]:
        """In a run with a sweep each task adds its own step: one added ahead would not wait for those before it."""
        return () if self.spec.options.sweep.sweep_trials else super()._followers()

    def _trigger(self, step_id: str) -> StepTrigger:
        layout, run_key = Layout.of(self.spec.root), self.spec.identity.run_key
        self.progress_uri = layout.uri(layout.step_progress(run_key, self.report_key))
        self.failure_uri = layout.uri(layout.step_failure(run_key, self.report_key))
        return super()._trigger(step_id)

    def result(self, context: Context) -> dict[str, Any]:
        storage = self.storage(self.spec.root)
        key = storage.layout.step_report(self.spec.identity.run_key, self.report_key)
        report = storage.find(key, self.report)
        if report is None:
            raise ResultMissing(
                attempted=f"looked for the report of the completed step {self.step} at",
                resource=storage.layout.uri(key),
                reason="there is no such object",
                remedy="see the step's log on the cluster: it ended without handing anything on",
            )
        facts = {"run_key": self.spec.identity.run_key, **report.model_dump(mode="json")}
        self._done = traces(self.step, storage.layout, facts["run_key"], facts.get("dataset_id"))
        announce(context, self, facts)
        return report.model_dump(mode="json")

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Asked by OpenLineage's provider, where that is installed and configured."""
        return self._done.openlineage() if self._done else None
