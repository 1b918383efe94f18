"""The frame every step runs in: one argument, the run spec; on failure a report in S3 and exit code 1."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import StepName, step_key
from dermaflow_jobs.runtime.errors import StorageError
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.runtime.s3 import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepContext:
    """All that a step's code is given."""

    step: StepName
    spec: RunSpec
    store: Store
    progress: ProgressReporter
    trial: int | None = None
    """Which trial of a sweep this is, in the step `train`."""
    began: float = field(default_factory=time.monotonic)

    @property
    def layout(self) -> Layout:
        return self.store.layout

    @property
    def run_key(self) -> str:
        return self.spec.identity.run_key

    @property
    def key(self) -> str:
        return step_key(self.step, self.trial)

    def seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)


def run_step(step: StepName, body: Callable[[StepContext], None], argv: list[str] | None = None) -> None:
    """Run `body` for the run spec named on the command line. The whole of every job's `__main__`.

    An exception is reported to `steps/<step>/failure.json`, then raised, so that the step fails in EMR too.
    """
    parser = argparse.ArgumentParser(prog=f"dermaflow_jobs.{step}")
    parser.add_argument("--run-spec", required=True, help="s3://… of run.json")
    parser.add_argument("--trial", type=int, help="of a sweep: which one; only for train")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    context = open_step(step, given.run_spec, given.trial)
    log.info("%s of %s on %s, process %d", context.key, context.run_key, socket.gethostname(), os.getpid())
    failure_key = context.layout.step_failure(context.run_key, context.key)
    context.store.delete(failure_key)
    try:
        body(context)
    except BaseException as error:
        report = FailureReport.of(error, step=context.key, host=socket.gethostname())
        try:
            context.store.put(failure_key, report)
        except StorageError as unwritten:
            log.error("failure report not written: %s", unwritten)
        raise
    log.info("%s done in %.1f s", context.key, context.seconds())


def open_step(step: StepName, run_spec_uri: str, trial: int | None = None) -> StepContext:
    """Read the run spec. Raises StorageError or ContractError, naming the URI."""
    bucket_and_key = run_spec_uri.removeprefix("s3://").partition("/")
    bootstrap_store = Store(Layout(bucket_and_key[0], ""))
    spec = bootstrap_store.get(bucket_and_key[2], RunSpec)
    store = Store(Layout.of(spec.root))
    expected = store.layout.uri(store.layout.run_spec(spec.identity.run_key))
    if run_spec_uri != expected:
        raise ContractError(f"run spec at {run_spec_uri} says of itself that it is {expected}; write it there")
    progress = ProgressReporter(store, spec.identity.run_key, step_key(step, trial))
    return StepContext(step, spec, store, progress, trial)
