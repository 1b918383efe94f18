"""The stack as a whole: up, down, is it up."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import httpx

from local_stack import airflow, aws, processes
from local_stack.config import REPO, StackConfig, redraw_taken_ports


def is_up(config: StackConfig) -> bool:
    names = ("local-aws", *airflow.COMPONENTS)
    return all(processes.find(config, name) for name in names)


def up(
    config: StackConfig,
    *,
    scheduled: bool = False,
    aws_args: Sequence[str] = (),
    airflow_env: Mapping[str, str] = MappingProxyType({}),
) -> StackConfig:
    """Start local AWS, then Airflow. Returns the configuration with the ports in use; call `wait` before using it.

    `aws_args` are arguments of local_aws, e.g. its delays; `airflow_env` is added to Airflow's environment.
    """
    if not any(processes.find(config, name) for name in ("local-aws", *airflow.COMPONENTS)):
        config = redraw_taken_ports(config)
    start_aws(config, aws_args)
    with ThreadPoolExecutor(1) as pool:
        preparing = pool.submit(airflow.prepare, config)
        wait_for_aws(config)
        aws.found_account(config)
        preparing.result()
    airflow.start(config, airflow.environment(config, scheduled=scheduled) | dict(airflow_env))
    return config


def wait(config: StackConfig) -> None:
    airflow.wait(config)


def down(config: StackConfig) -> None:
    """Stop everything; state stays."""
    airflow.stop(config)
    processes.stop(config, "local-aws", seconds=30)


def start_aws(config: StackConfig, args: Sequence[str] = ()) -> None:
    processes.start(config, "local-aws", [sys.executable, "-m", "local_aws", *aws_arguments(config), *args], aws_env())


def aws_arguments(config: StackConfig) -> list[str]:
    return ["--port", str(config.ports["aws"]), "--state", str(config.state / "aws")]


def aws_env() -> dict[str, str]:
    return aws.inherited() | {"PYTHONPATH": str(REPO / "infra")}


def wait_for_aws(config: StackConfig) -> None:
    processes.wait_until(config, "local-aws", lambda: _aws_answers(config), seconds=60)


def _aws_answers(config: StackConfig) -> bool:
    try:
        return httpx.get(f"{config.aws_url}/_local_aws/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
