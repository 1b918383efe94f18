"""Steps: found by their key before they are added, added once, and cancelled when nobody waits any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import backoff, is_passing
from dermaflow.emr.states import STEP_ATTACHABLE, STEP_DONE
from dermaflow.errors import AwsCallFailed

log = logging.getLogger(__name__)
CANCEL_AND_WAIT = "CANCEL_AND_WAIT"


@dataclass(frozen=True)
class Step:
    id: str
    name: str
    state: str
    action_on_failure: str

    @classmethod
    def of(cls, step: dict[str, Any]) -> Step:
        return cls(step["Id"], step["Name"], step["Status"]["State"], step["ActionOnFailure"])


@dataclass(frozen=True)
class StepApi:
    """EMR's calls about one cluster's steps. `once` must not retry by itself, `client` may."""

    cluster_id: str
    client: Any
    once: Any
    sleep: Callable[[float], None] = time.sleep

    def all(self) -> list[Step]:
        """Oldest first."""
        pages = self.client.get_paginator("list_steps").paginate(ClusterId=self.cluster_id)
        return [Step.of(step) for page in pages for step in page["Steps"]][::-1]

    def named(self, name: str) -> list[Step]:
        """Oldest first."""
        return [step for step in self.all() if step.name == name]

    def obtain(self, requests: Sequence[dict[str, Any]]) -> list[Step]:
        """For each request the step of its name that runs, waits or is done, else a new one; added together, once.

        A step that failed, or was cancelled or interrupted, is no obstacle to a new one.
        """
        pauses = backoff(first_s=1.0, most_s=15.0, tries=9)
        while True:
            found = self._settle([request["Name"] for request in requests])
            missing = [request for request in requests if request["Name"] not in found]
            if not missing:
                return [found[request["Name"]] for request in requests]
            try:
                added = self.once.add_job_flow_steps(JobFlowId=self.cluster_id, Steps=missing)["StepIds"]
                log.info("added steps %s", ", ".join(added))
            except (ClientError, BotoCoreError, OSError) as error:
                self._wait_or_give_up(missing, error, pauses)

    def _wait_or_give_up(self, requests: Sequence[dict[str, Any]], error: Exception, pauses: Iterator[float]) -> None:
        pause = next(pauses, None) if is_passing(error) else None
        if pause is None:
            raise AwsCallFailed(
                attempted=f"tried to add {', '.join(repr(request['Name']) for request in requests)} to",
                resource=f"cluster {self.cluster_id}",
                reason=str(error),
                remedy="if the cluster has ended, clear create_cluster and what follows it",
            ) from error
        log.warning("AddJobFlowSteps failed: %s; we look before we ask again (%.1f s)", error, pause)
        self.sleep(pause)

    def _settle(self, wanted: Sequence[str]) -> dict[str, Step]:
        """Name → the one step that counts: the done one, else the oldest that runs or waits; cancels younger twins."""
        found: dict[str, Step] = {}
        useful = [step for step in self.all() if step.name in wanted and step.state in (STEP_DONE, *STEP_ATTACHABLE)]
        for step in sorted(useful, key=lambda each: each.state != STEP_DONE):
            found.setdefault(step.name, step)
        twins = [step.id for step in useful if step.state != STEP_DONE and step is not found[step.name]]
        if twins:
            log.warning("cancelling %s: twins of steps that are there already", ", ".join(twins))
            self.cancel(twins)
        return found

    def give_up(self, step_id: str) -> None:
        """Cancel this step, and those that wait behind it and make sense only after it."""
        self.cancel([step_id, *dependents(self.all(), step_id)])

    def cancel(self, step_ids: Sequence[str]) -> None:
        """Pending or running; a step that is over is left as it is."""
        self.client.cancel_steps(
            ClusterId=self.cluster_id, StepIds=list(step_ids), StepCancellationOption="SEND_INTERRUPT"
        )


def dependents(steps: Sequence[Step], step_id: str) -> list[str]:
    """Ids of the pending steps that EMR would cancel if this one failed. `steps`: oldest first."""
    ids = [step.id for step in steps]
    behind = steps[ids.index(step_id) + 1 :] if step_id in ids else ()
    return [step.id for step in behind if step.state == "PENDING" and step.action_on_failure == CANCEL_AND_WAIT]
