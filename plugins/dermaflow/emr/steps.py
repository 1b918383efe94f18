"""Steps: found by their key before they are added, added once, and cancelled when nobody waits any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import backoff, is_passing
from dermaflow.emr.states import STEP_ATTACHABLE, STEP_DONE
from dermaflow.errors import AwsCallFailed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    id: str
    name: str
    state: str

    @classmethod
    def of(cls, step: dict[str, Any]) -> Step:
        return cls(step["Id"], step["Name"], step["Status"]["State"])


@dataclass(frozen=True)
class StepApi:
    """EMR's calls about one cluster's steps. `once` must not retry by itself, `client` may."""

    cluster_id: str
    client: Any
    once: Any
    sleep: Callable[[float], None] = time.sleep

    def named(self, name: str) -> list[Step]:
        """Newest first, as EMR lists them."""
        pages = self.client.get_paginator("list_steps").paginate(ClusterId=self.cluster_id)
        return [Step.of(step) for page in pages for step in page["Steps"] if step["Name"] == name]

    def obtain(self, request: dict[str, Any]) -> tuple[Step, bool]:
        """The step of this name that is running, waits or is done, else a new one; and whether it is new.

        A step that failed, or was cancelled or interrupted, is no obstacle to a new one.
        """
        pauses = backoff(first_s=1.0, most_s=15.0, tries=9)
        while True:
            found = self._settle(request["Name"])
            if found:
                log.info("step %s of this task exists already and is %s", found.id, found.state)
                return found, False
            try:
                answer = self.once.add_job_flow_steps(JobFlowId=self.cluster_id, Steps=[request])
            except (ClientError, BotoCoreError, OSError) as error:
                self._wait_or_give_up(request, error, pauses)
                continue
            added = answer["StepIds"][0]
            log.info("added step %s", added)
            settled = self._settle(request["Name"]) or Step(added, request["Name"], "PENDING")
            return settled, settled.id == added

    def _wait_or_give_up(self, request: dict[str, Any], error: Exception, pauses: Any) -> None:
        pause = next(pauses, None) if is_passing(error) else None
        if pause is None:
            raise AwsCallFailed(
                attempted=f"tried to add step {request['Name']!r} to",
                resource=f"cluster {self.cluster_id}",
                reason=str(error),
                remedy="if the cluster has ended, clear create_cluster and what follows it",
            ) from error
        log.warning("AddJobFlowSteps failed: %s; we look before we ask again (%.1f s)", error, pause)
        self.sleep(pause)

    def _settle(self, name: str) -> Step | None:
        """The one step that counts: the done one, else the oldest that runs or waits; cancels younger twins."""
        steps = list(reversed(self.named(name)))
        done = [step for step in steps if step.state == STEP_DONE]
        live = [step for step in steps if step.state in STEP_ATTACHABLE]
        keep = next(iter([*done, *live]), None)
        twins = [step.id for step in live if step is not keep]
        if twins:
            log.warning("cancelling %s: twins of step %s", ", ".join(twins), keep and keep.id)
            self.cancel(twins)
        return keep

    def cancel(self, step_ids: list[str]) -> None:
        """Pending or running; a step that is over is left as it is."""
        self.client.cancel_steps(ClusterId=self.cluster_id, StepIds=step_ids, StepCancellationOption="SEND_INTERRUPT")
