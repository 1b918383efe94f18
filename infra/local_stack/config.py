"""Where the stack keeps its state and on which ports it listens. Everything is below one folder of this checkout."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BUCKET = "dermaflow"
SYNTHETIC = "synthetic"
"""Prefix of the storage root that drawn images go to; the one a run uses unless told otherwise."""
REGION = "us-east-1"
PORT_NAMES = ("aws", "airflow", "worker_logs", "trigger_logs", "proxy")


@dataclass(frozen=True)
class StackConfig:
    """Read once, passed down whole."""

    state: Path
    ports: dict[str, int]
    secrets: dict[str, str] = field(repr=False)

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['aws']}"

    @property
    def airflow_url(self) -> str:
        return f"http://localhost:{self.ports['airflow']}"

    @property
    def airflow_home(self) -> Path:
        return self.state / "airflow"

    @property
    def defaults(self) -> Path:
        """What runs must know of the account; there once the account was founded."""
        return self.state / "defaults.json"

    @property
    def logs(self) -> Path:
        return self.state / "logs"


def load_config(state: Path | None = None) -> StackConfig:
    """The checkout's stack: ports and secrets are drawn at first use and kept, so a browser's bookmark stays true.

    `DERMAFLOW_PORT_AWS` and `DERMAFLOW_PORT_AIRFLOW` fix a port; `DERMAFLOW_STATE` puts the state elsewhere.
    """
    state = (state or Path(os.environ.get("DERMAFLOW_STATE", REPO / "build" / "stack"))).resolve()
    (state / "logs").mkdir(parents=True, exist_ok=True)
    kept = state / "stack.json"
    if not kept.exists():
        _write_private(kept, {"ports": {}, "secrets": _draw_secrets()})
    saved = json.loads(kept.read_text())
    ports = dict(saved["ports"])
    for name in PORT_NAMES:
        wanted = os.environ.get(f"DERMAFLOW_PORT_{name.upper()}")
        ports[name] = int(wanted) if wanted else ports.get(name) or _free_port(set(ports.values()))
    if ports != saved["ports"]:
        _write_private(kept, saved | {"ports": ports})
    return StackConfig(state, ports, saved["secrets"])


def redraw_taken_ports(config: StackConfig) -> StackConfig:
    """A kept port that another program took meanwhile is drawn anew. Call only while the stack is down."""
    kept = config.state / "stack.json"
    saved = json.loads(kept.read_text())
    saved["ports"] = {name: port for name, port in config.ports.items() if _is_free(port)}
    _write_private(kept, saved)
    return load_config(config.state)


def _draw_secrets() -> dict[str, str]:
    names = ("admin_password", "jwt_secret", "api_secret_key", "aws_secret_key")
    return {name: secrets.token_urlsafe(24) for name in names}


def _write_private(path: Path, value: object) -> None:
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(value, indent=1))
    part.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
