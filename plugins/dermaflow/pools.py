"""The pool whose slots are clusters: how many there may be at once, whatever runs and backfills want.

Every task that works on a rented cluster is in it, from the one that creates it on, and holds its slot while it waits
in the triggerer as well. Between two tasks of a run, for a second or so, it holds none although the cluster is there.
Whoever got that slot, and would create another cluster with it, sees the first one without a slot and lets go again.
So there are never more clusters than slots. The teardown is not in the pool: giving back waits for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

CLUSTERS: Final = "emr_clusters"
CREATES: Final[dict[str, Any]] = {"pool": CLUSTERS, "priority_weight": 1, "weight_rule": "absolute"}
"""For the operator that creates a cluster."""
WORKS: Final[dict[str, Any]] = {"pool": CLUSTERS, "priority_weight": 10, "weight_rule": "absolute"}
"""For operators that work on one: they go before those that want a new one."""
HOLDING: Final = frozenset({"queued", "running", "deferred"})


def holds_slot(states: Mapping[str, str | None], in_pool: Collection[str]) -> bool:
    """Does a run whose tasks are in these states hold a slot? A mapped task's name ends in `_<index>`."""
    return any(
        state in HOLDING and (name in in_pool or name.rpartition("_")[0] in in_pool) for name, state in states.items()
    )
