"""Build, start, run the DAG by the REST API, restart, see that nothing was lost, take everything away.

Works in a project of its own, with secrets and ports of its own, beside whatever else runs in Docker. Writes
`build/bench/compose.json`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from local_stack import aws, images
from local_stack.airflow import AirflowApi
from local_stack.config import BUCKET, REPO, StackConfig, load_config

OUT = REPO / "build" / "bench" / "compose.json"
STATE = REPO / "build" / "bench" / "compose"
PROJECT = "dermaflow-check"
DAG_ID, RUN_ID = "lesion_training", "compose-check"
QUICK = {"epochs": 1, "samples_per_class": 24, "batch_size": 12, "image_size": 32}
PORTS = {"airflow": "DERMAFLOW_PORT_AIRFLOW", "aws": "DERMAFLOW_PORT_AWS"}


class CheckFailedError(Exception):
    pass


@dataclass
class Check:
    console: Console
    config: StackConfig
    env_file: Path
    times: dict[str, float] = field(default_factory=dict)

    def compose(self, *args: str) -> str:
        """Raises CheckFailedError with what it said."""
        command = ["docker", "compose", "--project-name", PROJECT, "--env-file", str(self.env_file), *args]
        done = subprocess.run(command, cwd=REPO, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise CheckFailedError(f"docker compose {' '.join(args)} failed:\n{(done.stdout + done.stderr)[-6000:]}")
        return done.stdout

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.times[what] = round(time.monotonic() - began, 1)
        self.console.print(f"{what}: {self.times[what]} s")

    def run_dag(self) -> None:
        with AirflowApi.login(self.config) as api:
            api.wait_for_dag(DAG_ID)
            api.unpause(DAG_ID)
            api.trigger(DAG_ID, RUN_ID, {"max_bad_share": 0.1} | QUICK)
            while (state := api.run(DAG_ID, RUN_ID)["state"]) not in {"success", "failed"}:
                time.sleep(2)
            if state == "failed":
                failed = [task for task in api.tasks(DAG_ID, RUN_ID) if task["state"] == "failed"]
                raise CheckFailedError("\n".join(api.log(DAG_ID, RUN_ID, task)[-4000:] for task in failed))

    def kept(self) -> dict[str, Any]:
        """What a restart must not lose: the run and its tasks in Airflow, ledger and models in S3."""
        with AirflowApi.login(self.config) as api:
            tasks = {task["task_id"]: task["state"] for task in api.tasks(DAG_ID, RUN_ID)}
            history = {"run": api.run(DAG_ID, RUN_ID)["state"], "tasks": dict(sorted(tasks.items()))}
        pages = aws.s3(self.config).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        objects = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}
        if not [key for key in objects if "ledger/runs/" in key] or "models/champion.json" not in objects:
            raise CheckFailedError(f"no ledger or champion in {sorted(objects)}")
        return history | {"objects": {key: tag for key, tag in objects.items() if not key.startswith("logs/")}}


def main() -> int:
    console = Console(width=120)
    check = prepared(console)
    try:
        with check.timed("build"):
            check.compose("build")
        with check.timed("up"):
            check.compose("up", "--wait", "--wait-timeout", "300")
        with check.timed("run"):
            upload(check)
            check.run_dag()
        before = check.kept()
        with check.timed("down and up"):
            check.compose("down")
            check.compose("up", "--wait", "--wait-timeout", "300")
        if (after := check.kept()) != before:
            raise CheckFailedError(f"before the restart {before}, after it {after}")
        result = {**check.times, "images_mb": image_sizes(), "objects_kept": len(before["objects"])}
        OUT.write_text(json.dumps(result, indent=1) + "\n")
        console.print(f"the run, its tasks and {len(before['objects'])} objects outlived the restart; {OUT}")
    except CheckFailedError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    finally:
        check.compose("down", "--volumes", "--timeout", "10")
        shutil.rmtree(STATE, ignore_errors=True)
    return 0


def prepared(console: Console) -> Check:
    """A project's .env as `make compose-env` writes it, on free ports, and DAGs that run only when triggered."""
    shutil.rmtree(STATE, ignore_errors=True)
    config = load_config(STATE)
    env_file = STATE / "env"
    subprocess.run([sys.executable, REPO / "infra" / "airflow" / "env_file.py", env_file], check=True)
    values = dict(line.split("=", 1) for line in env_file.read_text().splitlines() if line and line[0] != "#")
    values |= {name: str(config.ports[port]) for port, name in PORTS.items()} | {"DERMAFLOW_SCHEDULE": "none"}
    env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    secrets = {"admin_password": values["DERMAFLOW_ADMIN_PASSWORD"], "aws_secret_key": values["AWS_SECRET_ACCESS_KEY"]}
    return Check(console, StackConfig(config.state, config.ports, secrets), env_file)


def upload(check: Check) -> None:
    """Sixty drawn images, below the root that the form offers."""
    folder = STATE / "images"
    command = [str(images.JOBS_PYTHON), "-m", "dermaflow_jobs.synthetic", "--out", str(folder), "--seed", "9"]
    subprocess.run([*command, "--per-class", "20"], check=True, capture_output=True)
    for path in sorted(folder.glob("*/*.jpg")):
        aws.s3(check.config).upload_file(str(path), BUCKET, f"raw/{path.relative_to(folder)}")


def image_sizes() -> dict[str, int]:
    """Megabytes of the images that were built."""
    names = ("dermaflow-airflow", "dermaflow-local-aws")
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: int(size) // 1_000_000 for name, size in zip(names, done.stdout.split(), strict=True)}


def _environment() -> dict[str, str]:
    """Without what would overrule the .env file."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DERMAFLOW_", "COMPOSE_"))}


if __name__ == "__main__":
    sys.exit(main())
