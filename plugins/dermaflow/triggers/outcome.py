"""How a wait ended: the one value that a trigger hands back to its task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    state: str
    """The last state that EMR gave."""
    ok: bool
    cluster_id: str
    reason: str = ""
    """EMR's."""
    detail: str = ""
    """The job's own report, or the end of the log."""
    needs_person: bool = False
    """The job itself said what somebody has to do: another try would meet the same."""
    timed_out: bool = False

    def payload(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Outcome:
        return cls(**payload)
