"""Sizes of a cluster by name: what a size says counts where the user does not say it himself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dermaflow_jobs.contract.presets import STANDARD, Preset

CLUSTER_SIZES: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "small": Preset("one node works: thousands of images", {"core_count": 1}),
        STANDARD: Preset("two nodes work: tens of thousands of images"),
        "large": Preset(
            "four wide nodes, four more on spot while images are decoded: hundreds of thousands",
            {"core_type": "m6i.2xlarge", "core_count": 4, "spot_task_nodes": 4},
        ),
        "gpu": Preset("one node with an NVIDIA T4 for training", {"core_type": "g4dn.xlarge", "core_count": 1}),
    }
)


def sized() -> frozenset[str]:
    """Options that any size decides."""
    return frozenset(name for size in CLUSTER_SIZES.values() for name in size.values)
