"""Raises an asset where new images are not like those that the model learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from dermaflow.operators.base import ValueArg
from dermaflow_jobs.contract.steps import ScoreReport


class AnnounceDriftOperator(BaseOperator):
    """Succeed, and so raise the task's outlets, only where a scoring run found drift; else be skipped.

    The events carry what has drifted and where the report is. Returns the names of what has drifted.

    .. code-block:: python

        announce = AnnounceDriftOperator(task_id="announce", report=score.output, outlets=[RAW_DATA])

    :param report: a contract ScoreReport as a dict.
    :param wanted: templated, so `"True"` and `"False"` are understood.
    """

    template_fields: Sequence[str] = ("report", "wanted")

    def __init__(self, *, report: ValueArg, wanted: bool | str = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report: Any = report
        self.wanted = wanted

    def execute(self, context: Context) -> list[str]:
        report = ScoreReport.parse(self.report)
        if not report.drifted:
            raise AirflowSkipException("no drift: nothing to announce")
        if str(self.wanted).lower() != "true":
            raise AirflowSkipException(f"drift in {', '.join(report.drifted)}, not announced: the param says so")
        for asset in self.outlets:
            extra = context["outlet_events"][asset].extra
            extra["drift"], extra["score_id"], extra["images"] = list(report.drifted), report.score_id, report.images
        self.log.info("announced drift in %s", ", ".join(report.drifted))
        return list(report.drifted)
