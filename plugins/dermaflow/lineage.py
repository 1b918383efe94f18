"""What a task read and made: told to Airflow as events of the assets it has as outlets, and to OpenLineage.

An operator knows which objects they are only when it is done; its DAG says which assets they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, BaseOperator, Context
from pydantic import JsonValue

from dermaflow.assets import CHAMPION
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import StepName

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


@dataclass(frozen=True)
class Traces:
    """Keys or prefixes within the bucket."""

    layout: Layout
    read: Sequence[str] = ()
    made: Sequence[str] = ()

    def openlineage(self) -> OperatorLineage[Any, Any]:
        """Only where the provider is installed: it is the one who asks."""
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage

        def datasets(keys: Sequence[str]) -> list[Dataset]:
            return [Dataset(namespace=f"s3://{self.layout.bucket}", name=key.rstrip("/")) for key in keys]

        return OperatorLineage(inputs=datasets(self.read), outputs=datasets(self.made))


def traces(step: StepName, layout: Layout, run_key: str, dataset_id: str | None) -> Traces:
    """Of a finished step of the contract."""
    dataset = [layout.dataset_prefix(dataset_id)] if dataset_id else []
    model = layout.model(run_key)
    if step == "preprocess":
        return Traces(layout, [layout.raw_prefix()], dataset)
    if step == "train":
        return Traces(layout, dataset, [model])
    if step == "evaluate":
        return Traces(layout, [*dataset, model], [layout.metrics(run_key)])
    return Traces(layout)


def announce(context: Context, operator: BaseOperator, facts: Mapping[str, Any]) -> None:
    """The facts go with the event of each asset that the task has as outlet."""
    for outlet in operator.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra = dict(facts)


def announce_champion(context: Context, operator: BaseOperator, champion: Champion) -> None:
    """An event of the asset `champion`, through the alias that is the task's outlet: without a change there is none."""
    facts: dict[str, JsonValue] = {
        "run_key": champion.run_key,
        "model_key": champion.model_key,
        "mean_auc": champion.mean_auc,
        "synthetic": champion.synthetic,
    }
    for outlet in operator.outlets:
        if isinstance(outlet, AssetAlias):
            context["outlet_events"][outlet].add(CHAMPION, extra=facts)
