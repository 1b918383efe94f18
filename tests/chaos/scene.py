"""A clean stack for one fault: local AWS, microburst before it, Airflow before that."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from chaos.nursery import Nursery
from chaos.wire import Rule
from dermaflow_jobs.contract.run_spec import make_run_key
from local_stack import airflow, aws, images, processes, stack
from local_stack.airflow import AirflowApi
from local_stack.config import StackConfig, load_config

DAG_ID = "lesion_training"
QUICK = {"epochs": 1, "samples_per_class": 8, "batch_size": 8, "image_size": 32, "model": "small_cnn"}


@dataclass(frozen=True)
class Scene:
    config: StackConfig
    airflow_environment: dict[str, str]
    api: AirflowApi
    root: str
    run_ids: tuple[str, ...]

    @property
    def run_keys(self) -> tuple[str, ...]:
        return tuple(
            make_run_key(dag_id=DAG_ID, run_id=run_id, logical_date=None, scheduled=False) for run_id in self.run_ids
        )

    @property
    def proxy(self) -> str:
        """microburst's own API."""
        return f"http://127.0.0.1:{self.config.ports['proxy']}/_microburst"

    def add_rules(self, rules: Sequence[Rule]) -> None:
        httpx.patch(f"{self.proxy}/rules", json=list(rules)).raise_for_status()

    def struck(self) -> bool:
        """Has every rule? A fault that never fired proves nothing."""
        return all(rule["fired_count"] for rule in httpx.get(f"{self.proxy}/rules").json())

    def trigger(self, conf: dict[str, Any]) -> None:
        for run_id in self.run_ids:
            self.api.trigger(DAG_ID, run_id, {"root": self.root} | QUICK | conf)

    def wait_for_task(self, task_id: str, states: set[str], *, seconds: float = 600) -> str:
        """Id of the first run's task instance, once it is in one of the states."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            question = "SELECT id, state FROM task_instance WHERE run_id = ? AND task_id = ?"
            for instance_id, state in self._ask(question, self.run_ids[0], task_id):
                if state in states:
                    return str(UUID(instance_id))
            time.sleep(0.05)
        raise RuntimeError(f"{task_id} was not {states} within {seconds:.0f} s")

    def _ask(self, question: str, *values: str) -> list[tuple[Any, ...]]:
        """Of Airflow's database: the harness looks so often that the API would do little else than answer."""
        path = self.config.airflow_home / "airflow.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(question, values).fetchall()

    def wait_for_cluster(self) -> str:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            for cluster in aws.emr(self.config).list_clusters(ClusterStates=aws.ACTIVE)["Clusters"]:
                return str(cluster["Id"])
            time.sleep(0.1)
        raise RuntimeError("no cluster came up")

    def wait_for_end(self, *, seconds: float) -> list[str]:
        """State of each run once all have ended, or "unfinished"."""
        end = time.monotonic() + seconds
        while True:
            found = dict(self._ask("SELECT run_id, state FROM dag_run"))
            states = [found[run_id] for run_id in self.run_ids]
            if all(state in {"success", "failed"} for state in states):
                return states
            if time.monotonic() > end:
                return [state if state in {"success", "failed"} else "unfinished" for state in states]
            time.sleep(0.5)

    def patch_run(self, body: dict[str, Any]) -> None:
        self.api.http.patch(f"/api/v2/dags/{DAG_ID}/dagRuns/{self.run_ids[0]}", json=body).raise_for_status()

    def clear(self, task_id: str, *, downstream: bool) -> None:
        body = {
            "dry_run": False, "task_ids": [task_id], "dag_run_id": self.run_ids[0], "include_downstream": downstream,
            "only_failed": False, "only_running": False, "reset_dag_runs": True,
        }  # fmt: skip
        self.api.http.post(f"/api/v2/dags/{DAG_ID}/clearTaskInstances", json=body).raise_for_status()


@dataclass(frozen=True)
class Props:
    """What every scene is made from."""

    airflow_home: Path
    """With a migrated database."""
    images: Path
    nursery: Nursery
    code: Path
    """What `DERMAFLOW_CODE_DIR` names."""


@contextmanager
def scene(state: Path, props: Props, *, runs: int, rules: Sequence[Rule]) -> Iterator[Scene]:
    """Everything up, rules standing, nothing triggered."""
    clear_away(state)
    shutil.copytree(props.airflow_home, state / "airflow")
    config = load_config(state)
    environment = airflow.environment(config)
    connection = json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"]["endpoint_url"] = proxy = f"http://127.0.0.1:{config.ports['proxy']}"
    environment["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    environment |= {"DERMAFLOW_CODE_DIR": str(props.code)}
    environment |= {"DERMAFLOW_RUNS_AT_ONCE": str(runs), "DERMAFLOW_MAX_CLUSTERS": str(runs)}
    try:
        start(config, props.nursery, environment)
        stack.wait_for_aws(config)
        aws.found_account(config)
        source = images.Source(props.images, "chaos")
        images.upload(source, config, lambda _done, _total: None)
        processes.wait_until(config, "proxy", lambda: _answers(proxy), seconds=120)
        httpx.post(f"{proxy}/_microburst/rules", json=list(rules)).raise_for_status()
        airflow.wait(config)
        with AirflowApi.login(config) as api:
            api.wait_for_dag(DAG_ID)
            api.unpause(DAG_ID)
            run_ids = tuple(f"chaos-{number}" for number in range(1, runs + 1))
            yield Scene(config, environment, api, source.root, run_ids)
    finally:
        airflow.stop(config)
        processes.stop(config, "proxy")
        processes.stop(config, "local-aws")


def start(config: StackConfig, nursery: Nursery, airflow_environment: dict[str, str]) -> None:
    """All six programs at once; what needs another waits for it."""
    proxy = ["--upstream", config.aws_url, "--port", str(config.ports["proxy"]), "--host", "127.0.0.1"]
    programs = {
        "local-aws": (["local_aws", *stack.aws_arguments(config)], stack.aws_env()),
        "proxy": (["microburst", *proxy], aws.inherited()),
        **{name: (["airflow", name], airflow_environment) for name in airflow.COMPONENTS},
    }
    airflow.prepare(config)
    for name, (command, env) in programs.items():
        log = str(config.logs / f"{name}.log")
        processes.remember(config, name, nursery.fork(command, env=env, log=log, cwd=str(config.state)))


def clear_away(state: Path) -> None:
    """All that a scene left, but for the machine image of its nodes: that takes 4 s to make and is only read."""
    image, kept = state / "aws" / "emr" / "image", state.with_suffix(".image")
    if (image / "READY").exists():
        shutil.rmtree(kept, ignore_errors=True)
        image.rename(kept)
    shutil.rmtree(state, ignore_errors=True)
    if kept.exists():
        image.parent.mkdir(parents=True)
        kept.rename(image)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_microburst/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
