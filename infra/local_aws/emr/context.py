"""What an operation works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.emr.driver import Host
from local_aws.emr.requests import Caller
from local_aws.emr.store import ClusterStore


@dataclass(frozen=True)
class Context:
    host: Host
    caller: Caller

    @property
    def store(self) -> ClusterStore:
        return self.host.store


Params = Mapping[str, Any]
Answer = dict[str, Any]
Operation = Callable[[Context, Params], Answer | None]
