"""Steps: `command-runner.jar` with a command, run on the primary node."""

from __future__ import annotations

import logging
import re
import signal
import threading
from pathlib import Path

from local_aws import processes
from local_aws.emr import spark
from local_aws.emr.logs import ClusterLogs
from local_aws.emr.node import Node
from local_aws.emr.records import Failure, StepRecord

log = logging.getLogger(__name__)

COMMAND_RUNNER = "command-runner.jar"
KILL_AFTER_SECONDS = 10.0
"""A process that does not heed SEND_INTERRUPT is killed after this."""


_EXCEPTION = re.compile(r"^(?:Exception in thread .*|[\w.]+(?:Error|Exception|Interrupt)\b.*)$", re.MULTILINE)
_LOG_LINE = re.compile(r"^\d\d/\d\d/\d\d \d\d:\d\d:\d\d ")


def what_went_wrong(stderr: str) -> str:
    """The line of stderr that EMR would show: the last exception, else the last line that Spark did not log."""
    exceptions = _EXCEPTION.findall(stderr)
    said = [line.strip() for line in stderr.splitlines() if line.strip() and not _LOG_LINE.match(line)]
    return str((exceptions or said or [""])[-1])[:1000]


class NotRunnableError(Exception):
    """The step cannot be run at all; the message is its failure."""


def command_of(step: StepRecord) -> list[str]:
    """What command-runner runs. `--master yarn` is what the cluster's own Spark is here, so it is left out."""
    if Path(step.jar).name != COMMAND_RUNNER:
        raise NotRunnableError(f"jar {step.jar} is not simulated by local_aws: only {COMMAND_RUNNER} is")
    if not step.args:
        raise NotRunnableError(f"{COMMAND_RUNNER} was given no command")
    args = list(step.args)
    if args[0] != "spark-submit":
        return args
    if _value_after(args, "--deploy-mode") == "cluster":
        raise NotRunnableError("spark-submit --deploy-mode cluster is not simulated by local_aws: use client")
    if _value_after(args, "--master") in {"yarn", "yarn-client"}:
        at = args.index("--master")
        del args[at : at + 2]
    return args


def _value_after(args: list[str], flag: str) -> str | None:
    return args[args.index(flag) + 1] if flag in args[:-1] else None


class RunningStep:
    """One step's process and what is left of it. `run` blocks until the step's whole process tree is gone."""

    def __init__(self, step: StepRecord, node: Node, spark_environment: dict[str, str], logs: ClusterLogs) -> None:
        self.step = step
        self._node = node
        self._environment = spark_environment
        self._logs = logs
        self._task = f"steps/{step.id}"
        self.folder = node.cluster_folder / "steps" / step.id
        self._interrupted_by: str | None = None
        self._lock = threading.Lock()

    @property
    def _owner(self) -> str:
        return f"{self._node.owner}/{self._task}"

    def run(self) -> Failure | None:
        self.folder.mkdir(parents=True)
        for name in ("stdout", "stderr", "syslog"):
            (self.folder / name).touch()
        try:
            code = self._run_process()
        except (NotRunnableError, OSError) as error:
            (self.folder / "stderr").write_text(f"{error}\n")
            code = 127
        processes.end_all(self._owner)
        (self.folder / "controller").write_text(
            f"INFO {' '.join(self.step.args)}\nINFO total process exit code: {code}\n"
        )
        return self._failure(code) if code else None

    def _run_process(self) -> int:
        path = f"{self._environment['SPARK_HOME']}/bin:{self._node.environment['PATH']}"
        command = ["/usr/bin/env", *command_of(self.step)]
        with self._lock:
            if self._interrupted_by is not None:
                raise NotRunnableError("interrupted before it began")
            extra = {**self._environment, "PATH": path}
            process = self._node.start(command, task=self._task, logs=self.folder, extra=extra)
        return process.wait()

    def interrupt(self, option: str) -> None:
        """As CancelSteps asks: a signal first, or the end at once. A step that has not begun never will."""
        with self._lock:
            self._interrupted_by = option
        if option == "TERMINATE_PROCESS":
            processes.end_all(self._owner)
        else:
            processes.signal_all(self._owner, signal.SIGTERM)
            last_resort = threading.Timer(KILL_AFTER_SECONDS, processes.end_all, [self._owner])
            last_resort.daemon = True
            last_resort.start()

    def upload_logs(self) -> None:
        names = ("controller", "syslog", "stderr", "stdout")
        self._logs.upload(self._logs.step_folder(self.step.id), [self.folder / name for name in names])
        for executor in sorted(spark.work_folder(self._node.cluster_folder).glob("app-*/*")):
            where = self._logs.container_folder(executor.parent.name, executor.name)
            files = [path for name in ("stderr", "stdout") if (path := executor / name).is_file()]
            self._logs.upload(where, files)

    def _failure(self, code: int) -> Failure:
        folder = self._logs.step_folder(self.step.id)
        return Failure(
            reason="Unknown Error.",
            message=what_went_wrong(self._tail()) or f"Command exiting with ret '{code}'",
            log_file=f"{folder}stderr.gz" if folder else None,
        )

    def _tail(self) -> str:
        with (self.folder / "stderr").open("rb") as file:
            file.seek(max(0, (self.folder / "stderr").stat().st_size - 65_536))
            return file.read().decode(errors="replace")
