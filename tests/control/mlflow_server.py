"""MLflow's own server, whole, from the lock's group `mlflow` in an environment of its own below build/."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aws_account import REPO
from proxy import free_port

ENVIRONMENT = REPO / "build" / "mlflow-venv"


def install() -> Path:
    """Its folder of programs. Skips the test where the packages cannot be had: no index, no room."""
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT), "UV_PYTHON_DOWNLOADS": "never"}
    command = [
        REPO / ".tools/bin/uv",
        "sync",
        "--quiet",
        "--frozen",
        "--only-group",
        "mlflow",
        "--python",
        "python3.11",
    ]
    try:
        subprocess.run(command, cwd=REPO, env=environment, check=True, capture_output=True, text=True, timeout=240)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"MLflow's server cannot be installed: {getattr(error, 'stderr', '') or error}")
    return ENVIRONMENT / "bin"


@contextmanager
def server(state: Path) -> Iterator[str]:
    """Its address, while it runs."""
    port = free_port()
    command = [
        install() / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{state / 'mlflow.db'}", "--artifacts-destination", str(state / "artifacts"),
    ]  # fmt: skip
    log = (state / "server.log").open("wb")
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, cwd=state, env=quiet, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, state / "server.log")
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)
        log.close()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2)
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.3)
    raise RuntimeError(f"MLflow's server did not start:\n{log.read_text()[-3000:]}")
