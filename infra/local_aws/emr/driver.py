"""Makes a cluster's record come true: one thread a cluster, one more for every step that runs."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local_aws import processes
from local_aws.emr import bootstrap, machine, spark
from local_aws.emr.environment import Image
from local_aws.emr.logs import ClusterLogs
from local_aws.emr.node import Node
from local_aws.emr.records import GOING_OR_GONE, ClusterRecord, Failure, StepState
from local_aws.emr.steps import RunningStep
from local_aws.emr.store import ClusterStore, now
from local_aws.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Host:
    """What every cluster's driver needs of the stand-in."""

    settings: Settings
    store: ClusterStore
    image: Image

    def cluster_folder(self, cluster_id: str) -> Path:
        return self.settings.state_dir / "emr" / "nodes" / cluster_id


class ClusterDriver:
    def __init__(self, cluster: ClusterRecord, host: Host) -> None:
        self._id = cluster.id
        self._host = host
        self._store = host.store
        self._latencies = host.settings.latencies
        self._folder = host.cluster_folder(cluster.id)
        self._logs = ClusterLogs(cluster.log_uri, cluster.id, host.settings.endpoint)
        self._running: dict[str, RunningStep] = {}
        self._interrupted: set[str] = set()
        self._uploads: list[threading.Thread] = []

    def start(self) -> None:
        threading.Thread(target=self._live, name=self._id, daemon=True).start()

    def _live(self) -> None:
        try:
            self._start_up()
            self._work()
        except Exception as error:
            log.exception("%s: the stand-in itself failed", self._id)
            self._store.apply(self._id, machine.Broken(f"The stand-in for EMR failed: {type(error).__name__}: {error}"))
        self._tear_down()

    def _start_up(self) -> None:
        self._host.image.make()
        self._pause(self._latencies.startup)
        cluster = self._store.apply(self._id, machine.Provisioned())
        region = cluster.arn.split(":")[3]
        self._nodes = {
            instance.id: Node.of(
                instance,
                cluster_id=self._id,
                cluster_folder=self._folder,
                image=self._host.image,
                endpoint=self._host.settings.endpoint,
                region=region,
            )
            for instance in cluster.instances
        }
        if cluster.state in GOING_OR_GONE:
            return
        watcher = threading.Thread(target=self._end_bootstrap_if_terminated, daemon=True)
        watcher.start()
        failed = bootstrap.run_everywhere(cluster, self._nodes, self._logs, self._host.settings.endpoint)
        if failed is not None:
            self._store.apply(self._id, failed)
            return
        self._spark_environment = spark.install(cluster, self._folder)
        self._pause(self._latencies.bootstrap_overhead)
        self._store.apply(self._id, machine.Bootstrapped())

    def _end_bootstrap_if_terminated(self) -> None:
        cluster = self._store.wait(self._id, lambda each: each.timeline.ready is not None or _leaving(each), None)
        if _leaving(cluster):
            processes.end_all(self._id)

    def _work(self) -> None:
        """Until the record says TERMINATING: start what may, interrupt what was cancelled, mind the idle limit."""
        while True:
            cluster = self._store.find(self._id)
            if _leaving(cluster):
                return
            for step in machine.startable(cluster):
                self._begin(step.id)
            self._interrupt_cancelled(cluster)
            self._wait_for_more(cluster)

    def _wait_for_more(self, cluster: ClusterRecord) -> None:
        deadline = machine.idle_deadline(cluster)
        if deadline is not None and now() >= deadline:
            self._store.apply(self._id, machine.IdleTooLong())
            return
        self._store.wait(self._id, lambda each: each != cluster, _seconds_until(deadline))

    def _begin(self, step_id: str) -> None:
        after = self._store.apply(self._id, machine.StepStarted(step_id))
        step = after.step(step_id)
        if step is None or step.state is not StepState.RUNNING:
            return
        running = RunningStep(step, self._nodes[after.primary.id], self._spark_environment, self._logs)
        self._running[step_id] = running
        threading.Thread(target=self._see_through, args=[running], name=step_id, daemon=True).start()

    def _see_through(self, running: RunningStep) -> None:
        failure: Failure | None
        try:
            self._store.wait(self._id, lambda each: not _is_running(each, running), self._latencies.step_overhead)
            failure = running.run()
        except Exception as error:
            log.exception("%s: the stand-in itself failed", running.step.id)
            failure = Failure(reason="Internal error of the stand-in", message=repr(error))
        self._upload(running)
        self._running.pop(running.step.id, None)
        self._store.apply(self._id, machine.StepEnded(running.step.id, failure))

    def _upload(self, running: RunningStep) -> None:
        """Before the state changes; after it, as on EMR, where a delay is asked for."""
        if not self._latencies.log_delay:
            running.upload_logs()
            return
        later = threading.Timer(self._latencies.log_delay, running.upload_logs)
        later.daemon = True
        later.start()
        self._uploads.append(later)

    def _interrupt_cancelled(self, cluster: ClusterRecord) -> None:
        for step in cluster.steps:
            running = self._running.get(step.id)
            if step.state is StepState.CANCEL_PENDING and running is not None and step.id not in self._interrupted:
                self._interrupted.add(step.id)
                running.interrupt(step.cancel_option or "SEND_INTERRUPT")

    def _tear_down(self) -> None:
        for running in list(self._running.values()):
            running.interrupt("TERMINATE_PROCESS")
        processes.end_all(self._id)
        while self._running:
            time.sleep(0.02)
        self._pause(self._latencies.termination, even_if_leaving=True)
        self._store.apply(self._id, machine.Torn())
        for upload in self._uploads:
            upload.join()
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)

    def _pause(self, seconds: float, *, even_if_leaving: bool = False) -> None:
        if even_if_leaving:
            time.sleep(seconds)
        elif seconds:
            self._store.wait(self._id, _leaving, seconds)


def _leaving(cluster: ClusterRecord) -> bool:
    return cluster.state in GOING_OR_GONE


def _is_running(cluster: ClusterRecord, running: RunningStep) -> bool:
    step = cluster.step(running.step.id)
    return step is not None and step.state is StepState.RUNNING


def _seconds_until(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (moment - now()).total_seconds())
