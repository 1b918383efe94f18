"""What runs make of what, as Airflow's assets: its UI draws the lineage from them, and other DAGs can wait for them.

New images are announced on RAW_DATA, which starts a run of `lesion_training`. CHAMPION has an event only when the
champion changes.
"""

from __future__ import annotations

from typing import Final

from airflow.sdk import Asset, AssetAlias

from dermaflow import settings
from dermaflow_jobs.contract.s3_layout import Layout

GROUP: Final = "dermaflow"
_LAYOUT: Final = Layout.of(settings.storage_root())

RAW_DATA: Final = Asset("raw_data", uri=_LAYOUT.uri(_LAYOUT.raw_prefix()), group=GROUP)
DATASET: Final = Asset("dataset", uri=_LAYOUT.uri(f"{_LAYOUT.prefix}datasets/"), group=GROUP)
MODEL: Final = Asset("model", uri=_LAYOUT.uri(f"{_LAYOUT.prefix}runs/"), group=GROUP)
CHAMPION: Final = Asset("champion", uri=_LAYOUT.uri(_LAYOUT.champion()), group=GROUP)
CHAMPION_CHANGED: Final = AssetAlias("champion_changed", group=GROUP)
"""Outlet of tasks that may or may not change the champion; stands for CHAMPION when they do."""
