"""Skips a run that nobody asked for and that would only repeat another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from dermaflow.champion import Present
from dermaflow.ledger import read_ledger
from dermaflow.news import BY_ITSELF, twin
from dermaflow.operators.base import AwsOperator, ValueArg
from dermaflow.storage import Storage
from dermaflow_jobs.contract.inputs import inputs_id
from dermaflow_jobs.contract.run_spec import RunSpec


class CheckNewsOperator(AwsOperator):
    """Skip itself, and so all that follows, where a run with the same images, choices and code is in the ledger.

    Only runs of the schedule and those started by an asset are skipped; one that a person started, a backfill, and
    one with the param `force` go on. Nothing is paid for. Returns why the run goes on.

    .. code-block:: python

        anything_new = CheckNewsOperator(task_id="anything_new", run_spec=check_inputs.output)

    :param run_spec: a contract RunSpec as a dict.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "run_spec")

    def __init__(self, *, run_spec: ValueArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec

    def execute(self, context: Context) -> str:
        why = self._why_go_on(RunSpec.parse(self.run_spec))
        self.log.info("the run goes on: %s", why)
        return why

    def _why_go_on(self, spec: RunSpec) -> str:
        """Raises AirflowSkipException where there is no reason to."""
        kind = spec.identity.run_type
        if kind not in BY_ITSELF:
            return f"it is a {kind} run, which is never skipped"
        if spec.options.promotion.force:
            return "force is set"
        storage = self.storage(spec.root)
        champion = Present.read(storage).champion
        if champion is None:
            return "there is no champion yet"
        found = twin(spec, seen_inputs(storage, spec), champion, read_ledger(storage))
        if found is None:
            return "its images, choices and code together are new to the ledger"
        raise AirflowSkipException(
            f"nothing is new since {found.run_key} of {found.recorded_at:%Y-%m-%d %H:%M} UTC: same images, choices and"
            f" code; the champion is {champion.run_key}. Nothing was paid for. To train all the same, press Trigger,"
            " or set the param force."
        )


def seen_inputs(storage: Storage, spec: RunSpec) -> str:
    """As preprocess will name them."""
    raw = storage.layout.raw_prefix()
    objects = ((key.removeprefix(raw), size, etag) for key, size, etag in storage.listing(raw))
    return inputs_id(objects, spec.identity.data_until.date())
