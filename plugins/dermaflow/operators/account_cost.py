"""Says what a run has cost, once its clusters are gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from dermaflow.champion import Present
from dermaflow.emr.cost import cluster_cost
from dermaflow.emr.states import CLUSTER_OVER, CLUSTER_PAID
from dermaflow.ledger import amend_record
from dermaflow.operators.base import AwsOperator
from dermaflow.run import owner_of
from dermaflow.storage import Storage
from dermaflow_jobs.contract.cost import ClusterCost, RunCost, with_cost


class AccountCostOperator(AwsOperator):
    """Reckon every cluster of the run from its nodes' timelines, and put it into `cost.json`, the ledger's record, if
    the run has one, and the model card.

    A second teardown, behind TerminateClusterOperator: failed runs cost money too. Finds the clusters by the run's
    name and tags; what EMR has forgotten since an earlier pass is kept. Tried again, it writes the same. Returns the
    contract's RunCost as a dict.

    .. code-block:: python

        account = AccountCostOperator(task_id="account_cost", root="s3://my-bucket")
        terminate >> account.as_teardown(setups=create)

    :param root: `s3://bucket[/prefix]` of the project.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "root")

    def __init__(self, *, root: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = root

    def execute(self, context: Context) -> dict[str, Any]:
        storage, owner = self.storage(self.root), owner_of(context)
        key = storage.layout.run_cost(owner.run_key)
        known = storage.find(key, RunCost)
        api = self.clusters()
        found = api.of_run(owner.deployment, owner.run_key, states=(*CLUSTER_PAID, *CLUSTER_OVER))
        bills = [api.bill(cluster.id) for cluster in found]
        prices = self.price_list({kind for bill in bills for kind in bill.kinds})
        now = datetime.now(UTC)
        reckoned = [cluster_cost(bill, prices.prices, now) for bill in bills]
        cost = RunCost(
            run_key=owner.run_key,
            clusters=merged(known.clusters if known else (), reckoned),
            prices_from=prices.source,
            prices_as_of=prices.as_of,
            region=prices.region,
            reckoned_at=now,
        )
        storage.write_value(key, cost)
        amend_record(storage, owner.run_key, cost=cost)
        self._tell_cards(storage, owner.run_key, cost)
        self.log.info("the run has cost %s (%s)", cost.text(), prices.text())
        return cost.model_dump(mode="json")

    def _tell_cards(self, storage: Storage, run_key: str, cost: RunCost) -> None:
        """The run's own, and the copy that was kept if its model has just been crowned."""
        champion = Present.read(storage).champion
        keys = [storage.layout.model_card(run_key)]
        if champion and champion.run_key == run_key and champion.card_key:
            keys.append(champion.card_key)
        for key in keys:
            seen = storage.read(key)
            if seen and (page := with_cost(seen.body.decode(), cost)):
                storage.replace(key, page.encode(), seen=seen, content_type="text/html; charset=utf-8")


def merged(known: Sequence[ClusterCost], reckoned: Sequence[ClusterCost]) -> tuple[ClusterCost, ...]:
    """What is reckoned now replaces what was known of the same cluster; oldest first."""
    by_id = {cluster.cluster_id: cluster for cluster in (*known, *reckoned)}
    return tuple(sorted(by_id.values(), key=lambda cluster: cluster.started_at))
