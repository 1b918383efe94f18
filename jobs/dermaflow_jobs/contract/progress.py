"""What a running step says of itself, a few times a minute, in one small object that is overwritten."""

from __future__ import annotations

from datetime import timedelta

from pydantic import AwareDatetime, Field

from dermaflow_jobs.contract.base import Value


class Progress(Value):
    step: str
    phase: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    """Units a second."""
    eta_s: float | None = None
    figures: dict[str, float] = Field(default_factory=dict)
    """E.g. epoch, loss, mean_auc."""
    updated_at: AwareDatetime

    def line(self) -> str:
        """`train: fitting 480/4800 images, 91 images/s, 0:00:47 left, epoch 3, loss 0.9120`."""
        parts = [f"{self.step}: {self.phase} {self.done:,}/{self.total:,} {self.unit}"]
        if self.rate is not None:
            parts.append(f"{self.rate:,.0f} {self.unit}/s" if self.rate >= 10 else f"{self.rate:.2g} {self.unit}/s")
        if self.eta_s is not None:
            parts.append(f"{timedelta(seconds=round(self.eta_s))} left")
        parts += [f"{name} {value:.4g}" for name, value in self.figures.items()]
        return ", ".join(parts)
