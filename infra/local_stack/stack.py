"""The stack as a whole: up, down, is it up."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

from local_stack import airflow, aws, processes
from local_stack.config import REPO, StackConfig, redraw_taken_ports


def is_up(config: StackConfig) -> bool:
    names = ("local-aws", *airflow.COMPONENTS)
    return all(processes.find(config, name) for name in names)


def up(config: StackConfig, *, scheduled: bool = False) -> StackConfig:
    """Start local AWS, then Airflow. Returns the configuration with the ports in use; call `wait` before using it."""
    if not any(processes.find(config, name) for name in ("local-aws", *airflow.COMPONENTS)):
        config = redraw_taken_ports(config)
    start_aws(config)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(airflow.start, config, airflow.environment(config, scheduled=scheduled))
        wait_for_aws(config)
        aws.found_account(config)
        starting.result()
    return config


def wait(config: StackConfig) -> None:
    airflow.wait(config)


def down(config: StackConfig) -> None:
    """Stop everything; state stays."""
    airflow.stop(config)
    processes.stop(config, "local-aws", seconds=30)


def start_aws(config: StackConfig) -> None:
    command = [
        sys.executable,
        "-m",
        "local_aws",
        "--port",
        str(config.ports["aws"]),
        "--state",
        str(config.state / "aws"),
    ]
    extra = os.environ.get("DERMAFLOW_LOCAL_AWS_ARGS", "").split()
    env = aws.inherited() | {"PYTHONPATH": str(REPO / "infra")}
    processes.start(config, "local-aws", command + extra, env)


def wait_for_aws(config: StackConfig) -> None:
    processes.wait_until(config, "local-aws", lambda: _aws_answers(config), seconds=60)


def _aws_answers(config: StackConfig) -> bool:
    try:
        return httpx.get(f"{config.aws_url}/_local_aws/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
