"""`champion.json`: which run's model is the one to use."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value


class Champion(Value):
    """The best run so far, by mean AUC on the validation split."""

    version: Literal[1] = 1
    run_key: str
    dataset_id: str
    model_key: str
    mean_auc: float
    valid_images: int
    synthetic: bool
    """Trained on drawn images: good for trying the machinery, never for a real lesion."""
    crowned_at: AwareDatetime
    dethroned: str | None = None
    """Run key of the champion before."""
