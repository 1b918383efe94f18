"""Where things are for this installation; what a run may choose is in the contract's options instead."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

AWS_CONN_ID: Final = "aws_default"
DEFAULT_ROOT: Final = "s3://dermaflow"
WEEKLY: Final = "0 3 * * 1"
_REPOSITORY: Final = Path(__file__).resolve().parents[2]


def deployment() -> str:
    """This Airflow's name among those that share the AWS account; environment variable DERMAFLOW_DEPLOYMENT."""
    return os.environ.get("DERMAFLOW_DEPLOYMENT", "airflow")


def storage_root() -> str:
    """`s3://bucket[/prefix]` offered as the form's default; environment variable DERMAFLOW_ROOT, else `installed`."""
    return os.environ.get("DERMAFLOW_ROOT") or str(installed().get("root", DEFAULT_ROOT))


def installed() -> dict[str, Any]:
    """What this installation's runs have for defaults, by parameter: the JSON file that DERMAFLOW_DEFAULTS names.

    `make deploy` writes one with the account's bucket, roles, subnets and so on. Raises OSError where it is missing.
    """
    path = os.environ.get("DERMAFLOW_DEFAULTS")
    return dict(json.loads(Path(path).read_text())) if path else {}


def schedule() -> str | None:
    """When to train, as a cron expression in UTC; environment variable DERMAFLOW_SCHEDULE, "none" for by hand only."""
    cron = os.environ.get("DERMAFLOW_SCHEDULE", WEEKLY)
    return None if cron == "none" else cron


def runs_at_once() -> int:
    """How many training runs may go on at a time; environment variable DERMAFLOW_RUNS_AT_ONCE.

    Not how many clusters: that is the pool's matter. A run that waits for an approval holds up no other.
    """
    return int(os.environ.get("DERMAFLOW_RUNS_AT_ONCE", "16"))


def notify() -> str:
    """Who is told of runs, see dermaflow.notify.addresses; environment variable DERMAFLOW_NOTIFY, empty for nobody."""
    return os.environ.get("DERMAFLOW_NOTIFY", "")


def mlflow_uri() -> str:
    """MLflow's tracking server, where runs are tracked too; environment variable DERMAFLOW_MLFLOW_URI, empty for none.

    `airflow:<connection id>` takes address, user and password from that connection.
    """
    return os.environ.get("DERMAFLOW_MLFLOW_URI", "")


def max_clusters() -> int:
    """Slots of the pool of clusters when it is first created; environment variable DERMAFLOW_MAX_CLUSTERS."""
    return int(os.environ.get("DERMAFLOW_MAX_CLUSTERS", "2"))


def code_dir() -> Path:
    """Folder that holds `jobs/` and `infra/emr/`; environment variable DERMAFLOW_CODE_DIR."""
    return Path(os.environ.get("DERMAFLOW_CODE_DIR", _REPOSITORY))
