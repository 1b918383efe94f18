"""What a fault left behind, read from local AWS itself, past the proxy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from chaos.acts import rival_key
from chaos.faults import Fault
from chaos.scene import Scene
from dermaflow_jobs.contract.s3_layout import Layout
from local_stack import aws
from local_stack.config import StackConfig


@dataclass(frozen=True)
class Row:
    fault: str
    fired: bool
    clusters: int
    doubled: int
    """Pairs of clusters of one run that lived at the same time."""
    alive: int
    steps: int
    records: int
    ended: str
    seconds: float
    ledger_lost: int
    ledger_duplicated: int
    unfinished: int
    as_expected: bool

    @property
    def holds(self) -> bool:
        broken = self.doubled + self.alive + self.ledger_lost + self.ledger_duplicated + self.unfinished
        return not broken and self.fired and self.as_expected

    @classmethod
    def untold(cls, fault: str) -> Row:
        """Nothing is known, as the harness failed; it does not hold."""
        return cls(fault, False, 0, 0, 0, 0, 0, "untold", 0.0, 0, 0, 1, False)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Row:
        return cls(**{name: value for name, value in row.items() if name != "holds"})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"holds": self.holds}


def observe(scene: Scene, fault: Fault, *, fired: bool, states: list[str], seconds: float) -> Row:
    clusters = _clusters(scene.config)
    records = _records(scene)
    wanted = {run_key for run_key, state in zip(scene.run_keys, states, strict=True) if state == "success"}
    wanted |= {rival_key(number) for number in range(fault.rivals)}
    return Row(
        fault=fault.name,
        fired=fired,
        clusters=len(clusters),
        doubled=_overlaps(clusters),
        alive=len(aws.clusters_alive(scene.config)),
        steps=sum(_steps(scene.config, cluster["Id"]) for cluster in clusters),
        records=len(records),
        ended=", ".join(states),
        seconds=round(seconds, 1),
        ledger_lost=len(wanted - set(records)),
        ledger_duplicated=len(records) - len(set(records)),
        unfinished=states.count("unfinished"),
        as_expected=not fault.must_succeed or all(state == "success" for state in states),
    )


def _clusters(config: StackConfig) -> list[Any]:
    return [c for page in aws.emr(config).get_paginator("list_clusters").paginate() for c in page["Clusters"]]


def _steps(config: StackConfig, cluster_id: str) -> int:
    pages = aws.emr(config).get_paginator("list_steps").paginate(ClusterId=cluster_id)
    return sum(1 for page in pages for step in page["Steps"] if step["Status"]["State"] != "CANCELLED")


def _overlaps(clusters: list[Any]) -> int:
    """Two clusters of one name whose lives overlap: somebody paid twice."""
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for cluster in clusters:
        times = cluster["Status"]["Timeline"]
        span = (times["CreationDateTime"], times.get("EndDateTime") or datetime.now(UTC))
        spans.setdefault(cluster["Name"], []).append(span)
    return sum(
        earlier[1] > later[0]
        for lives in spans.values()
        for earlier, later in zip(sorted(lives), sorted(lives)[1:], strict=False)
    )


def _records(scene: Scene) -> list[str]:
    """Run keys of the ledger: objects, and rows of the table derived from them."""
    layout = Layout.of(scene.root)
    s3 = aws.s3(scene.config)
    listed = s3.list_objects_v2(Bucket=layout.bucket, Prefix=layout.ledger_runs_prefix()).get("Contents", [])
    objects = [item["Key"].removeprefix(layout.ledger_runs_prefix()).removesuffix(".json") for item in listed]
    if objects:
        table = s3.get_object(Bucket=layout.bucket, Key=layout.ledger_csv())["Body"].read().decode()
        rows = [line.split(",")[0] for line in table.splitlines()[1:]]
        if sorted(rows) != sorted(objects):
            return [*objects, *(row for row in rows if rows.count(row) > 1)] if set(rows) >= set(objects) else rows
    return objects
