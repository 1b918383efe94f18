"""Makes a run's model the champion, if it is better than the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from dermaflow.champion import Verdict, challenger, crown, model_id, weigh
from dermaflow.errors import ResultMissing
from dermaflow.ledger import amend_record
from dermaflow.lineage import announce_champion
from dermaflow.links import ResultsLink
from dermaflow.operators.base import AwsOperator, ValueArg
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Champion, Promotion
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.options import PromotionOptions
from dermaflow_jobs.contract.run_spec import RunSpec

APPROVE = "Approve"


class PromoteOperator(AwsOperator):
    """Write `models/champion.json` if the run's model beats the present champion on the same held-out images.

    Compares with the champion that stands when it writes, whoever that has become since the run's evaluation. The
    ledger's record keeps what came of it. Returns the contract's Promotion as a dict.

    .. code-block:: python

        promote = PromoteOperator(
            task_id="promote", run_spec=check_inputs.output, record=gather_metrics.output, answer=approve.output
        )

    :param run_spec: a contract RunSpec as a dict.
    :param record: a contract LedgerRecord as a dict; None where the run was skipped, and this task is, too.
    :param answer: what ApprovePromotionOperator returned; None where nobody was asked.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "run_spec", "record", "answer")
    operator_extra_links = (ResultsLink(),)

    def __init__(self, *, run_spec: ValueArg, record: ValueArg, answer: ValueArg | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec
        self.record: Any = record
        self.answer: Any = answer

    def execute(self, context: Context) -> dict[str, Any]:
        if self.record is None:
            raise AirflowSkipException("the run was skipped: there is no model to promote")
        spec, record = RunSpec.parse(self.run_spec), LedgerRecord.parse(self.record)
        storage, options, answer = self.storage(spec.root), spec.options.promotion, self.answer
        new = challenger_of(storage, record)
        if new is None:
            verdict = Verdict(False, "it has no mean AUC on the validation split")
        else:
            by = answer.get("user") if answer else None
            verdict = crown(storage, new, lambda now: decide(storage, new, now, options, answer), decided_by=by)
        promotion = Promotion(
            promoted=verdict.promoted,
            why=verdict.why,
            decided_at=datetime.now(UTC),
            comparison=verdict.comparison,
            decided_by=answer.get("user") if answer else None,
        )
        amend_record(storage, record.run_key, promotion=promotion)
        self.log.info("%s is %s champion: %s", record.run_key, "now" if verdict.promoted else "not", verdict.why)
        if new and verdict.promoted and not (verdict.already and context["ti"].try_number == 1):
            announce_champion(context, self, new)
        return promotion.model_dump(mode="json")


def challenger_of(storage: Storage, record: LedgerRecord) -> Champion | None:
    """The run's model as it would be crowned; None where it has no score. Raises ResultMissing without a model."""
    key = storage.layout.model(record.run_key)
    etag = storage.etag(key)
    if etag is None:
        raise ResultMissing(
            attempted="looked for the run's model at",
            resource=storage.layout.uri(key),
            reason="there is no such object",
            remedy="clear the task train, which writes it",
        )
    name = model_id(record.run_key, etag)
    return challenger(record.metrics, storage.layout, datetime.now(UTC), model_id=name)


def decide(
    storage: Storage,
    new: Champion,
    current: Champion | None,
    options: PromotionOptions,
    answer: Mapping[str, Any] | None,
) -> Verdict:
    """The rule; and where a person was asked, only with an approval.

    An approval of what the numbers cannot say holds for the champion that the person was told of, and no other.
    """
    verdict = weigh(storage, new, current, options)
    if options.approval == "auto" or verdict.already or not (verdict.promoted or verdict.open):
        return verdict
    who = f"by {answer['user']}" if answer and answer.get("user") else "by nobody in time"
    if not answer or answer["choice"] != APPROVE:
        return Verdict(False, f"not approved {who}; {verdict.why}", verdict.comparison)
    if verdict.promoted:
        return Verdict(True, f"approved {who}; {verdict.why}", verdict.comparison)
    same = answer.get("champion") == (current.name if current else None)
    told = f"approved {who}" if same else f"approved {who}, yet with another champion in view"
    return Verdict(same, f"{told}; {verdict.why}", verdict.comparison)
