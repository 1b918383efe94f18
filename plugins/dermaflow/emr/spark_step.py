"""AddJobFlowSteps' step for a Spark job: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dermaflow.emr import names, yarn
from dermaflow.emr.job_flow import python_conf
from dermaflow.emr.sizing import spark_size
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import StepName, step_key

MAX_ARGUMENT_CHARS: Final = 10_240
"""HadoopJarStep's strings together; EMR refuses more."""


def spark_submit(application: str, *, name: str, conf: Mapping[str, str], args: Sequence[str]) -> list[str]:
    """`spark-submit` in client mode: the driver runs on the primary node and its output is the step's log."""
    pairs = [text for key, value in sorted(conf.items()) for text in ("--conf", f"{key}={value}")]
    return ["spark-submit", "--deploy-mode", "client", "--name", name, *pairs, application, *args]


def job_args(step: StepName, spec: RunSpec, *, trial: int | None = None) -> list[str]:
    """The command of one of the run's own steps, or of one trial of its sweep."""
    layout, root = Layout.of(spec.root), spec.options.cluster.environment_root
    run_key = spec.identity.run_key
    conf = python_conf(spec) | spark_size(step, spec.options).conf() | yarn.executor_conf(step, spec.options.cluster)
    run_spec_uri = layout.uri(layout.run_spec(run_key))
    return spark_submit(
        f"{spec.code.code_dir(root)}/launch.py",
        name=f"{step_key(step, trial)} {run_key}",
        conf=conf,
        args=[step, "--run-spec", run_spec_uri, *([] if trial is None else ["--trial", str(trial)])],
    )


def step_request(
    title: str, key: str, command: Sequence[str], *, action_on_failure: str = "CONTINUE"
) -> dict[str, Any]:
    """Raises ValueError where EMR would refuse the command for its length."""
    chars = sum(len(text) for text in command)
    if chars > MAX_ARGUMENT_CHARS:
        raise ValueError(f"step {title!r}: its arguments have {chars:,} characters, EMR allows {MAX_ARGUMENT_CHARS:,}")
    return {
        "Name": names.step_name(title, key),
        "ActionOnFailure": action_on_failure,
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(command)},
    }
