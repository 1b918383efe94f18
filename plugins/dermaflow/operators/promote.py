"""Makes a run's model the champion, if it is the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from dermaflow.champion import challenger, promote
from dermaflow.links import ResultsLink
from dermaflow.operators.base import AwsOperator, ValueArg
from dermaflow_jobs.contract.ledger import LedgerRecord


class PromoteOperator(AwsOperator):
    """Write `models/champion.json` if the run beats the present champion; return whether it did.

    .. code-block:: python

        promote = PromoteOperator(task_id="promote", root="s3://my-bucket", record=gather_metrics.output)

    :param root: `s3://bucket[/prefix]` of the project.
    :param record: a contract LedgerRecord as a dict.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "root", "record")
    operator_extra_links = (ResultsLink(),)

    def __init__(self, *, root: str, record: ValueArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = root
        self.record: Any = record

    def execute(self, context: Context) -> bool:
        metrics, storage = LedgerRecord.parse(self.record).metrics, self.storage(self.root)
        new = challenger(metrics, storage.layout, datetime.now(UTC))
        if new is None:
            self.log.info("%s has no mean AUC on the validation split: it cannot be champion", metrics.run_key)
            return False
        verdict = promote(storage, new)
        self.log.info("%s is %s champion: %s", new.run_key, "now" if verdict.promoted else "not", verdict.why)
        return verdict.promoted
