"""Asks a person whether a model may become champion, where the run wants that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from dermaflow.champion import Present, Verdict, weigh
from dermaflow.links import card_url, results_url
from dermaflow.operators.base import AwsOperator, ValueArg
from dermaflow.operators.promote import APPROVE, challenger_of
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.run_spec import RunSpec

REJECT = "Reject"
ASKED_ABOUT = "champion"


class ApprovePromotionOperator(AwsOperator, HITLOperator):
    """Park the run under Airflow's Required Actions until somebody approves or rejects the model, or time is up.

    Skipped with `approval = auto`, and where the numbers say no already: nobody is asked in vain. No cluster waits, no
    worker and no triggerer. Without an answer within `approval_hours` the model is not approved. Returns choice, user
    and the champion that the question was about.

    .. code-block:: python

        approve = ApprovePromotionOperator(
            task_id="approve", run_spec=check_inputs.output, record=gather_metrics.output
        )

    :param run_spec: a contract RunSpec as a dict.
    :param record: a contract LedgerRecord as a dict.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, *HITLOperator.template_fields, "run_spec", "record")

    def __init__(self, *, run_spec: ValueArg, record: ValueArg, **kwargs: Any) -> None:
        super().__init__(
            subject="May this model become champion?",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            response_timeout=timedelta(hours=72),  # the run's approval_hours replaces it
            **kwargs,
        )
        self.run_spec: Any = run_spec
        self.record: Any = record

    def execute(self, context: Context) -> Any:
        spec, record = RunSpec.parse(self.run_spec), LedgerRecord.parse(self.record)
        options, storage = spec.options.promotion, self.storage(spec.root)
        if options.approval == "auto":
            raise AirflowSkipException("approval = auto: nobody is asked")
        new, present = challenger_of(storage, record), Present.read(storage)
        if new is None:
            raise AirflowSkipException("the model has no mean AUC on the validation split: nobody is asked")
        verdict = weigh(storage, new, present.champion, options)
        if verdict.already or not (verdict.promoted or verdict.open):
            raise AirflowSkipException(f"nobody is asked: {verdict.why}")
        context["ti"].xcom_push(key=ASKED_ABOUT, value=present.name)
        self.response_timeout = timedelta(hours=options.approval_hours)
        self.subject = f"May {record.run_key} become champion?"
        self.body = question(record, new, present.champion, verdict, spec.root)
        self.log.info("%s", self.body)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"]
        return {
            "choice": answer["chosen_options"][0],
            "user": (user.get("name") or user.get("id")) if user else None,
            "champion": context["ti"].xcom_pull(task_ids=self.task_id, key=ASKED_ABOUT),
        }


def question(record: LedgerRecord, new: Champion, current: Champion | None, verdict: Verdict, root: str) -> str:
    """Markdown, for one who has a minute: what it is, how it compares, where to read more."""
    interval = new.mean_auc_interval
    between = f" (95 % interval {interval.low:.3f} to {interval.high:.3f})" if interval else ""
    lines = [
        f"**{new.model}**, trained on {record.metrics.train_images:,} images,"
        f" mean AUC {new.mean_auc:.3f}{between} on {new.valid_images:,} held-out images.",
        f"The numbers say: {verdict.why}.",
        f"[Model card]({card_url(record.run_key, root=root)}) · [results]({results_url(record.run_key, root=root)})",
    ]
    if new.synthetic:
        lines.insert(1, "It was trained on **drawn** images: nothing learned from them is about skin.")
    if current:
        lines.insert(-1, f"The present champion is number {current.number}, {current.run_key}.")
    return "\n\n".join(lines)
