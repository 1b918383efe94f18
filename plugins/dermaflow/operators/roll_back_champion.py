"""Makes an earlier champion the champion again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from dermaflow import settings
from dermaflow.champion import Present, earlier_champion, roll_back
from dermaflow.lineage import announce_champion
from dermaflow.operators.base import AwsOperator
from dermaflow_jobs.contract.champion import Champion

STORED = "went_back_from"


class RollBackChampionOperator(AwsOperator):
    """Crown a model of the history again, from its kept copy, and say so in the history. Returns it as a dict.

    Tried again after a lost answer, it does not go back twice.

    .. code-block:: python

        back = RollBackChampionOperator(task_id="roll_back", to="{{ params.to }}", why="{{ params.why }}")

    :param root: `s3://bucket[/prefix]` of the project; default: DERMAFLOW_ROOT.
    :param to: number of the champion to go back to; empty or "None": the model before the present one.
    :param why: kept in the history.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "root", "to", "why")

    def __init__(self, *, root: str | None = None, to: int | str | None = None, why: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = root
        self.to = to
        self.why = why

    def execute(self, context: Context) -> dict[str, Any]:
        storage = self.storage(self.root or settings.storage_root())
        wanted = int(self.to) if self.to not in (None, "", "None") else None
        now = Present.read(storage).champion
        store = context.get("task_state_store")
        begun = store.get(STORED) if store else None
        if begun and now and now.number > int(str(begun)):
            self.log.info("an earlier try of this task went back already")
            return self._told(now)
        target = earlier_champion(storage, now, wanted)
        if store and now:
            store.set(STORED, now.number)
        who = getattr(context["dag_run"], "triggering_user_name", None)
        crowned = roll_back(storage, to=target.number, why=self.why, decided_by=who)
        announce_champion(context, self, crowned)
        return self._told(crowned)

    def _told(self, champion: Champion) -> dict[str, Any]:
        self.log.info(
            "champion number %d is %s (mean AUC %.4f on its own validation split): %s",
            champion.number, champion.run_key, champion.mean_auc, champion.why,
        )  # fmt: skip
        return champion.model_dump(mode="json")
