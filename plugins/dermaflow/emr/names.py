"""The names and tags by which a cluster and a step are found again, whatever was forgotten meanwhile."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

PREFIX: Final = "dermaflow"
MAX_TAG: Final = 256
"""Characters of a tag's value."""
TAG_RUN_KEY: Final = f"{PREFIX}:run_key"
TAG_DAG_ID: Final = f"{PREFIX}:dag_id"
TAG_RUN_ID: Final = f"{PREFIX}:run_id"
TAG_DEADLINE: Final = f"{PREFIX}:deadline"
TAG_DEPLOYMENT: Final = f"{PREFIX}:deployment"
"""Which Airflow the run is of: two that share an account keep their hands off each other's clusters."""
TAG_REQUEST: Final = f"{PREFIX}:request"
"""Digest of the RunJobFlow request: a cluster of the run's name that was asked for otherwise is not the run's."""


def cluster_name(run_key: str) -> str:
    return f"{PREFIX}-{run_key}"


def tag_value(text: str) -> str:
    """What EC2 allows in a tag's value, at most 256 characters; anything else becomes `-`."""
    return re.sub(r"[^\w\s.:/=+@-]", "-", text, flags=re.ASCII)[:MAX_TAG]


def quoted(text: str) -> str:
    """A text that must be read back from a tag: what EC2 does not allow there is written `=XX`."""
    return quote(text, safe=" +-._:/@").replace("%", "=")[:MAX_TAG]


def unquoted(value: str) -> str | None:
    """None where `quoted` had to cut it off."""
    return None if len(value) >= MAX_TAG else unquote(value.replace("=", "%"))


def tags_of(cluster: Mapping[str, Any]) -> dict[str, str]:
    """DescribeCluster's list of tags as a dict."""
    return {tag["Key"]: tag.get("Value", "") for tag in cluster.get("Tags", ())}


def digest(value: object) -> str:
    """Sixteen hex digits over the canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def deadline_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_deadline(text: str) -> datetime | None:
    """None where it is not a time of ours."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def step_name(title: str, key: str) -> str:
    """`train [3f2a…]`: for people first, and found by its key."""
    return f"{title} [{key}]"


def step_key(*, run_key: str, task_id: str, map_index: int, args: Sequence[str]) -> str:
    """The same for every try of one task of one run, and another for anything else."""
    return digest([run_key, task_id, map_index, list(args)])
