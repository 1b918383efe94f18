"""What the stand-in is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Latencies:
    """Seconds that a real EMR takes and this machine does not. All 0 by default."""

    startup: float = 0.0
    """In STARTING, before the bootstrap actions."""
    bootstrap_overhead: float = 0.0
    """In BOOTSTRAPPING, after the bootstrap actions: EMR installs its applications."""
    termination: float = 0.0
    """In TERMINATING."""
    step_overhead: float = 0.0
    """Between a step's turn and its process."""
    log_delay: float = 0.0
    """Between the end of a step or bootstrap action and its log files in S3."""


@dataclass(frozen=True)
class Settings:
    port: int
    state_dir: Path
    host: str = "127.0.0.1"
    latencies: Latencies = Latencies()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"
