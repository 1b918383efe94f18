"""The step `score`."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import Context

from dermaflow.operators.job_step import JobStepOperator
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import ScoreReport, StepName


class ScoreOperator(JobStepOperator):
    """Let the champion score the new images, count those that failed, and compare them with the training set.

    .. code-block:: python

        score = ScoreOperator(task_id="score", cluster_id=create.output, run_spec=check_scoring.output)

    Returns the contract's ScoreReport as a dict.
    """

    step: ClassVar[StepName] = "score"
    report: ClassVar[type[Value]] = ScoreReport

    def result(self, context: Context) -> dict[str, Any]:
        found = super().result(context)
        report, layout = ScoreReport.parse(found), Layout.of(self.spec.root)
        self.log.info("%s; in %s", report.summary(), layout.uri(layout.score_prefix(report.score_id)))
        return found
