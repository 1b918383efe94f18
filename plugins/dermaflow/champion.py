"""Which run is the champion: decided by a pure rule, written by compare and swap."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dermaflow.errors import WriteConflict
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.contract.s3_layout import Layout

TRIES: Final = 60


@dataclass(frozen=True)
class Verdict:
    promoted: bool
    why: str


def challenger(metrics: Metrics, layout: Layout, at: datetime) -> Champion | None:
    """None where the validation split gives no mean AUC."""
    valid = metrics.splits.get("valid")
    if valid is None or valid.mean_auc is None:
        return None
    return Champion(
        run_key=metrics.run_key,
        dataset_id=metrics.dataset_id,
        model_key=layout.model(metrics.run_key),
        mean_auc=valid.mean_auc,
        valid_images=valid.images,
        synthetic=metrics.synthetic,
        crowned_at=at,
    )


def judge(new: Champion, current: Champion | None) -> Verdict:
    """A model of real images beats any of drawn ones; else the higher mean AUC wins, and a tie changes nothing."""
    if current is None:
        return Verdict(True, "there was no champion")
    if current.run_key == new.run_key:
        return Verdict(current.mean_auc != new.mean_auc or current.dataset_id != new.dataset_id,
                       "the champion itself ran again")  # fmt: skip
    if current.synthetic != new.synthetic:
        kind = "drawn images, the champion on real ones" if new.synthetic else "real images, the champion on drawn ones"
        return Verdict(not new.synthetic, f"trained on {kind}")
    better = new.mean_auc > current.mean_auc
    return Verdict(better, f"mean AUC {new.mean_auc:.4f} against {current.mean_auc:.4f} of {current.run_key}")


def promote(storage: Storage, new: Champion, *, sleep: Callable[[float], None] = time.sleep) -> Verdict:
    """Write `champion.json` if the rule says so; of two runs at once, the better one stays."""
    key = storage.layout.champion()
    for attempt in range(TRIES):
        seen = storage.read(key)
        current = Champion.parse(seen.body, source=storage.layout.uri(key)) if seen else None
        verdict = judge(new, current)
        if not verdict.promoted:
            return verdict
        crowned = new.model_copy(update={"dethroned": current.run_key if current else None})
        if storage.replace(key, crowned.to_json().encode(), seen=seen, content_type="application/json"):
            return verdict
        sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))  # noqa: S311 - spreads writers
    raise WriteConflict(
        attempted=f"tried {TRIES} times to write",
        resource=storage.layout.uri(key),
        reason="other runs kept writing it",
        remedy="clear this task",
    )
