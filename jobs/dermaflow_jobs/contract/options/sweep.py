"""Whether the recipe is searched for, and where."""

from __future__ import annotations

from math import prod
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.field import option

TrialValue = bool | int | float | str
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Choices = Annotated[tuple[TrialValue, ...], Field(min_length=1)]
LEAST_EPOCHS: Final = 3
"""A trial is let run at least this long before it may be called hopeless."""


class Range(Value):
    """Any number from `low` to `high`; with `log` as likely between 0.001 and 0.01 as between 0.01 and 0.1."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.high <= self.low:
            raise ValueError(f"low = {self.low:g}, high = {self.high:g}: high must be above low")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low:g}: must be above 0 where log is true")
        return self


class SweepOptions(Value):
    """Whether the recipe is searched for, and where."""

    sweep_trials: int = option(
        0,
        "Trials",
        "Train this many networks, each with other options drawn from sweep_space; the best by mean AUC on validation"
        " goes on. 0: no sweep.",
        ge=0,
        le=64,
    )
    sweep_space: dict[OptionName, Range | Choices] = option(
        {
            "learning_rate": {"low": 0.0003, "high": 0.006, "log": True},
            "weight_decay": {"low": 0.005, "high": 0.2, "log": True},
            "label_smoothing": [0, 0.05, 0.1],
        },
        "Search space",
        "Training option → the values to draw from: a list, or {low, high, log}.",
        advanced=True,
        min_length=1,
        max_length=12,
    )
    sweep_parallel: int = option(
        2,
        "Trials at a time",
        "Trials that run side by side, each on train_workers core nodes of its own.",
        advanced=True,
        ge=1,
        le=16,
    )
    sweep_stop: bool = option(
        True,
        "Stop hopeless trials",
        f"After {LEAST_EPOCHS} epochs a trial ends if its best mean AUC is below the median of what the others had by"
        " that epoch.",
        advanced=True,
    )

    def combinations(self) -> float:
        """How many different trials the space has; infinite where it has a range."""
        sizes = [float("inf") if isinstance(one, Range) else len(set(one)) for one in self.sweep_space.values()]
        return prod(sizes)
