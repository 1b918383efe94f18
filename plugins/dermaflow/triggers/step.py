"""Waits for a step to end, tells its progress meanwhile, and finds out why it failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from airflow.triggers.base import TriggerEvent

from dermaflow.emr.logs import LogPlace, get, read_tails
from dermaflow.emr.states import STEP_ACTIVE, STEP_DONE
from dermaflow.emr.steps import Step, dependents
from dermaflow.triggers.base import AwsTrigger
from dermaflow.triggers.outcome import Outcome
from dermaflow.triggers.polling import polls
from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.contract.progress import Progress

LOOK_FOR_LOGS_EVERY_S = 5.0
NO_LOGS = "the cluster keeps no logs (it has no LogUri)"
CLOCKS_DIFFER_BY = timedelta(seconds=60)
"""What an earlier try of the step left is older than this step's start; clocks of nodes and of EMR may differ."""


class StepTrigger(AwsTrigger):
    """Fires once, with an Outcome.

    :param progress_uri: object of a contract Progress that the step overwrites; its lines go to the task's log.
    :param failure_uri: object of a contract FailureReport that the step writes when it fails.
    :param timeout_s: seconds after which the outcome is `timed_out`; None waits for ever.
    :param log_wait_s: seconds to wait for a failed step's stderr where it left no report; EMR uploads logs late.
    """

    def __init__(
        self,
        *,
        cluster_id: str,
        step_id: str,
        aws_conn_id: str | None,
        region_name: str | None = None,
        progress_uri: str | None = None,
        failure_uri: str | None = None,
        timeout_s: float | None = None,
        log_wait_s: float = 240.0,
    ) -> None:
        super().__init__(
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            cluster_id=cluster_id,
            step_id=step_id,
            progress_uri=progress_uri,
            failure_uri=failure_uri,
            timeout_s=timeout_s,
            log_wait_s=log_wait_s,
        )
        self.cluster_id, self.step_id = cluster_id, step_id
        self.progress_uri, self.failure_uri = progress_uri, failure_uri
        self.timeout_s, self.log_wait_s = timeout_s, log_wait_s
        self._told = ""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async with await self.emr() as emr, await self.s3() as s3:
            status: dict[str, Any] = {"State": "UNKNOWN"}
            try:
                async for status in self._statuses(emr):
                    await self._tell_progress(s3, status)
                    if status["State"] not in STEP_ACTIVE:
                        yield TriggerEvent((await self._outcome(emr, s3, status)).payload())
                        return
            except TimeoutError as error:
                yield TriggerEvent(
                    Outcome(status["State"], False, self.cluster_id, reason=str(error), timed_out=True).payload()
                )

    async def _statuses(self, emr: Any) -> AsyncIterator[dict[str, Any]]:
        state = ""

        async def look() -> dict[str, Any]:
            answer = await emr.describe_step(ClusterId=self.cluster_id, StepId=self.step_id)
            status: dict[str, Any] = answer["Step"]["Status"]
            return status

        async for status in polls(look, timeout_s=self.timeout_s, log=self.log):
            if status["State"] != state:
                state = status["State"]
                self.log.info("step %s is %s", self.step_id, state)
            yield status

    async def _tell_progress(self, s3: Any, status: dict[str, Any]) -> None:
        if not self.progress_uri or status["State"] == "PENDING":
            return
        try:
            body = await _object(s3, self.progress_uri)
            progress = Progress.parse(body, source=self.progress_uri) if body else None
        except Exception as error:  # noqa: BLE001 - progress is a courtesy: whatever is wrong with it, the wait goes on
            self.log.warning("cannot read progress: %s", error)
            return
        if progress and _is_of(status, progress.updated_at) and (line := progress.line()) != self._told:
            self._told = line
            self.log.info("%s", line)

    async def _outcome(self, emr: Any, s3: Any, status: dict[str, Any]) -> Outcome:
        state, report, detail = status["State"], None, ""
        if state == STEP_DONE:
            return Outcome(state, True, self.cluster_id)
        try:
            report = await self._report(s3, status)
            detail = await self._detail(emr, s3, state, report)
        except Exception as error:  # noqa: BLE001 - that it failed is told, even where why cannot be found out
            self.log.warning("cannot find out why the step is %s: %s", state, error)
            detail = report.text() if report else f"why cannot be read: {error}"
        needs_person = report is not None and report.remedy is not None
        return Outcome(state, False, self.cluster_id, _reason(status), detail, needs_person=needs_person)

    async def _report(self, s3: Any, status: dict[str, Any]) -> FailureReport | None:
        """The job's own, unless an earlier try of it left it."""
        body = await _object(s3, self.failure_uri) if self.failure_uri else None
        try:
            report = FailureReport.parse(body, source=self.failure_uri) if body else None
        except ContractError as error:
            self.log.warning("%s", error)
            return None
        return report if report and _is_of(status, report.at) else None

    async def _detail(self, emr: Any, s3: Any, state: str, report: FailureReport | None) -> str:
        if report is None and state != "FAILED":
            return ""
        cluster = (await emr.describe_cluster(ClusterId=self.cluster_id))["Cluster"]
        if not cluster.get("LogUri"):
            return report.text() if report else NO_LOGS
        place = LogPlace.of_cluster(cluster["LogUri"], self.cluster_id).below("steps", self.step_id)
        if report:
            return f"{report.text().rstrip()}\nlog: {place.uri}"
        return await self._log_tails(s3, place)

    async def _log_tails(self, s3: Any, place: LogPlace) -> str:
        self.log.info("the step left no report; waiting up to %.0f s for its log at %s", self.log_wait_s, place.uri)
        give_up = time.monotonic() + self.log_wait_s
        while True:
            # In client mode Spark passes all that the driver's Python prints, its traceback too, to stdout
            # (PythonRunner.redirectErrorStream); what Spark itself says is in stderr.
            tails = [*await read_tails(s3, place, "stderr"), *await read_tails(s3, place, "stdout")]
            if tails := tails or await read_tails(s3, place, "controller"):
                return "\n".join(tail.text() for tail in tails)
            if time.monotonic() > give_up:
                return f"no log yet; look at {place.uri}"
            await asyncio.sleep(min(LOOK_FOR_LOGS_EVERY_S, self.log_wait_s))

    async def undo(self) -> None:
        self.log.info("killed while waiting: cancelling step %s", self.step_id)
        async with await self.emr() as emr:
            pages = emr.get_paginator("list_steps").paginate(ClusterId=self.cluster_id)
            steps = [Step.of(step) async for page in pages for step in page["Steps"]][::-1]
            await emr.cancel_steps(
                ClusterId=self.cluster_id,
                StepIds=[self.step_id, *dependents(steps, self.step_id)],
                StepCancellationOption="SEND_INTERRUPT",
            )


def _is_of(status: dict[str, Any], at: datetime) -> bool:
    began: datetime | None = status.get("Timeline", {}).get("StartDateTime")
    return began is not None and at >= began - CLOCKS_DIFFER_BY


def _reason(status: dict[str, Any]) -> str:
    """EMR's words, from wherever it put them."""
    details, change = status.get("FailureDetails", {}), status.get("StateChangeReason", {})
    parts = [details.get("Reason"), details.get("Message"), change.get("Code"), change.get("Message")]
    log_file = details.get("LogFile")
    return ": ".join(str(part) for part in parts if part) + (f" (log: {log_file})" if log_file else "")


async def _object(s3: Any, uri: str) -> bytes | None:
    parts = urlsplit(uri)
    return await get(s3, parts.netloc, parts.path.lstrip("/"))
