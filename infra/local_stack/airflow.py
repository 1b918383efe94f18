"""Airflow as four processes over SQLite, and its REST API."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx

from local_stack import aws, processes
from local_stack.config import BUCKET, REPO, SYNTHETIC, StackConfig
from local_stack.processes import StackError

AIRFLOW = REPO / ".venv" / "bin" / "airflow"
COMPONENTS = ("scheduler", "dag-processor", "triggerer", "api-server")
VERSION = "3.3.2"
USER = "admin"


def environment(config: StackConfig, *, scheduled: bool = False) -> dict[str, str]:
    """Airflow's whole configuration. Anybody's shell with these variables speaks to this stack.

    Not `scheduled`, DAGs run only when triggered: unpausing a scheduled DAG starts a run for the last week at once.
    """
    home = config.airflow_home
    settings = {
        "CORE__DAGS_FOLDER": str(REPO / "dags"),
        "CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "CORE__EXECUTION_API_SERVER_URL": f"{config.airflow_url}/execution/",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(config.ports["airflow"]),
        "API__BASE_URL": config.airflow_url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": config.secrets["api_secret_key"],
        "API_AUTH__JWT_SECRET": config.secrets["jwt_secret"],
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "LOGGING__WORKER_LOG_SERVER_PORT": str(config.ports["worker_logs"]),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(config.ports["trigger_logs"]),
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        # A task whose process or scheduler was killed is noticed after a minute, not after Airflow's five.
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "DAG_PROCESSOR__STALE_DAG_THRESHOLD": "300",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return (
        aws.inherited()
        | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        | {"AIRFLOW_HOME": str(home), "AIRFLOW_CONN_AWS_DEFAULT": aws.airflow_connection(config)}
        | {"DERMAFLOW_ROOT": f"s3://{BUCKET}/{SYNTHETIC}"}
        | ({"DERMAFLOW_DEFAULTS": str(config.defaults)} if config.defaults.exists() else {})
        | ({} if scheduled else {"DERMAFLOW_SCHEDULE": "none"})
    )


def start(config: StackConfig, env: dict[str, str] | None = None) -> None:
    """Start what is not running, with `environment(config)` unless told otherwise. Returns at once; see `wait`."""
    env = env or environment(config)
    prepare(config)
    for component in COMPONENTS:
        processes.start(config, component, [str(AIRFLOW), component], env)


def wait(config: StackConfig) -> None:
    """Until the API answers and scheduler, DAG processor and triggerer have a heart-beat."""
    processes.wait_until(config, "api-server", lambda: _healthy(config), seconds=300)


def stop(config: StackConfig) -> None:
    for component in reversed(COMPONENTS):
        processes.stop(config, component)


def prepare(config: StackConfig) -> None:
    """The admin's password, and the database migrated: once for this Airflow version, since it takes 10 s."""
    home = config.airflow_home
    home.mkdir(exist_ok=True)
    passwords = home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({USER: config.secrets["admin_password"]}))
    done = home / f"migrated-{VERSION}"
    if done.exists():
        return
    command = [str(AIRFLOW), "db", "migrate"]
    run = subprocess.run(command, env=environment(config), capture_output=True, text=True, check=False)
    if run.returncode:
        raise StackError(f"airflow db migrate failed:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
    done.touch()


def _healthy(config: StackConfig) -> bool:
    try:
        health = httpx.get(f"{config.airflow_url}/api/v2/monitor/health", timeout=5).json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(
        health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")
    )


@dataclass(frozen=True)
class AirflowApi:
    """The REST API, logged in."""

    http: httpx.Client

    @classmethod
    @contextmanager
    def login(cls, config: StackConfig) -> Iterator[Self]:
        with httpx.Client(base_url=config.airflow_url, timeout=120) as http:
            credentials = {"username": USER, "password": config.secrets["admin_password"]}
            answer = http.post("/auth/token", json=credentials)
            answer.raise_for_status()
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield cls(http)

    def wait_for_dag(self, dag_id: str, *, seconds: float = 120) -> None:
        """Until the DAG is parsed. Raises StackError with the import error, if that is why it is not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.http.get(f"/api/v2/dags/{dag_id}").status_code == httpx.codes.OK:
                return
            for error in self._get("/api/v2/importErrors")["import_errors"]:
                raise StackError(f"Airflow cannot import {error['filename']}:\n{error['stack_trace']}")
            time.sleep(0.5)
        raise StackError(f"Airflow did not find the DAG {dag_id} within {seconds:.0f} s")

    def unpause(self, dag_id: str) -> None:
        self.http.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start the run; an earlier one of that id makes room for it. Raises StackError with the API's words."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        if self.http.get(f"{path}/{run_id}").status_code == httpx.codes.OK:
            self.http.delete(f"{path}/{run_id}").raise_for_status()
        answer = self.http.post(path, json={"dag_run_id": run_id, "logical_date": None, "conf": conf})
        if answer.is_error:
            raise StackError(f"Airflow refused the run: {answer.text}")

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        return run

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Task instances in no order, mapped ones each for itself."""
        instances: list[dict[str, Any]] = self._get(
            f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 500}
        )["task_instances"]
        return instances

    def log(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        """The log of the task's last try, as text."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self._get(path, params={"map_index": task["map_index"]})["content"]
        return "\n".join(line for entry in content for line in _log_lines(entry))

    def _get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        answer = self.http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()


def _log_lines(entry: dict[str, Any] | str) -> Iterator[str]:
    """A log entry as Airflow's UI shows it: the event, then the exceptions that came with it."""
    if isinstance(entry, str):
        yield entry
        return
    yield str(entry["event"])
    for error in entry.get("error_detail") or ():
        yield f"{error['exc_type']}: {error['exc_value']}"
