"""What it takes to become champion."""

from __future__ import annotations

from typing import Literal

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.data import ClassName
from dermaflow_jobs.contract.options.field import option


class PromotionOptions(Value):
    """What it takes to become champion."""

    approval: Literal["auto", "human"] = option(
        "auto",
        "Approval",
        "Who has the last word once the numbers speak for the new model: nobody (auto), or a person, who is asked in"
        " Airflow under Required Actions.",
    )
    approval_hours: float = option(
        72.0,
        "Time to answer",
        "With approval = human: without an answer by then the model is not promoted. No cluster waits for it.",
        unit="h",
        advanced=True,
        gt=0,
        le=720,
    )
    promotion_confidence: float = option(
        0.95,
        "Confidence to promote",
        "Share of bootstrap resamplings of the same held-out images in which the new model must have the higher mean"
        " AUC. 0.5: better on average is enough.",
        unit="share",
        advanced=True,
        ge=0.5,
        lt=1,
    )
    guarded_class: ClassName | None = option(
        "melanoma",
        "Guarded class",
        "A model that misses more of this class than the champion is not promoted, however good it is otherwise.",
        advanced=True,
    )
    force: bool = option(
        False,
        "Even if nothing is new",
        "A scheduled run, or one started by new images, is skipped if a run with the same images, choices and code is"
        " in the ledger. A run that a person starts, and a backfill, is never skipped.",
        advanced=True,
    )
