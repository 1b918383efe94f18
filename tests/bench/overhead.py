"""`make bench-overhead`: how much of what is paid for is work, with our operators and with the provider's stock ones.

Both DAGs run on one local AWS with delays like EMR's, one after the other, over the same images with the same requests.
Times are the cluster's own timeline. Exit code 0 if the targets are met.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from chaos.light_code import light_code
from local_stack import aws, images, stack
from local_stack.airflow import AirflowApi
from local_stack.config import REPO, StackConfig, load_config

OUT = REPO / "build" / "bench" / "overhead.json"
STATE = REPO / "build" / "bench" / "overhead-stack"
QUICK = {"epochs": 2, "samples_per_class": 24, "batch_size": 12, "image_size": 32}
# Shorter than EMR's own 4 to 8 minutes to start, which flatters neither: a longer start makes every idle share smaller.
DELAYS = {"startup": 60, "bootstrap-overhead": 15, "termination": 20, "step-overhead": 3}


@dataclass(frozen=True)
class Paid:
    """Seconds of one cluster's life, by what it did."""

    paid_s: float
    steps_s: float
    between_steps_s: float
    before_first_step_s: float
    after_last_step_s: float
    api_calls: int

    @property
    def idle_share(self) -> float:
        """Idle between steps, of all that is paid for."""
        return self.between_steps_s / self.paid_s


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.overhead", description=__doc__)
    parser.add_argument("--startup-seconds", type=float, default=DELAYS["startup"])
    parser.add_argument("--light-jobs", action="store_true", help="steps of a few seconds in place of the real ones")
    args = parser.parse_args()
    delays = DELAYS | {"startup": args.startup_seconds}
    ours, stock = measure(delays, light=args.light_jobs)
    result = {
        "idle_share": round(ours.idle_share, 4),
        "stock_idle_share": round(stock.idle_share, 4),
        "api_calls": ours.api_calls,
        "stock_api_calls": stock.api_calls,
        "delays_s": delays,
        "light_jobs": args.light_jobs,
        "ours": asdict(ours),
        "stock": asdict(stock),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    Console(width=120).print(_table(ours, stock))
    return 0 if ours.idle_share <= min(0.03, stock.idle_share / 5) else 1


def measure(delays: dict[str, float], *, light: bool) -> tuple[Paid, Paid]:
    shutil.rmtree(STATE, ignore_errors=True)
    config = load_config(STATE)
    local_bundle = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": path.name, "classpath": local_bundle, "kwargs": {"path": str(path)}}
        for path in (REPO / "dags", Path(__file__).parent / "stock_dags")
    ]
    try:
        config = stack.up(
            config,
            aws_args=[text for name, s in delays.items() for text in (f"--{name}-seconds", str(s))],
            airflow_env={
                "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
                "DERMAFLOW_CODE_DIR": str(light_code(STATE / "code") if light else REPO),
            },
        )
        folder = STATE / "images"
        command = [str(images.JOBS_PYTHON), "-m", "dermaflow_jobs.synthetic", "--out", str(folder), "--seed", "9"]
        subprocess.run([*command, "--per-class", "24"], check=True, capture_output=True)
        stack.wait(config)
        run_one(config, folder, "lesion_training", "warm-up", "warm")
        ours = run_one(config, folder, "lesion_training", "bench", "ours")
        return ours, run_one(config, folder, "stock_wiring", "bench", "stock")
    finally:
        stack.down(config)


def run_one(config: StackConfig, folder: Path, dag_id: str, run_id: str, prefix: str) -> Paid:
    """One run over images in a storage root of its own, so that no run finds another's dataset."""
    source = images.Source(folder, prefix)
    images.upload(source, config, lambda _done, _total: None)
    before = _emr_calls(config)
    known = {cluster["Id"] for cluster in _clusters(config)}
    with AirflowApi.login(config) as api:
        api.wait_for_dag(dag_id)
        api.unpause(dag_id)
        api.trigger(dag_id, run_id, {"root": source.root} | QUICK)
        while (state := api.run(dag_id, run_id)["state"]) not in {"success", "failed"}:
            time.sleep(1)
        if state == "failed":
            raise SystemExit(f"{dag_id} failed: {[(t['task_id'], t['state']) for t in api.tasks(dag_id, run_id)]}")
    (cluster,) = [cluster for cluster in _clusters(config) if cluster["Id"] not in known]
    return paid(config, cluster["Id"], _emr_calls(config) - before)


def paid(config: StackConfig, cluster_id: str, api_calls: int) -> Paid:
    emr = aws.emr(config)
    while "EndDateTime" not in (life := emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["Timeline"]):
        time.sleep(1)
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    spans = sorted(_span(step) for page in pages for step in page["Steps"])
    gaps = [max(0.0, (later[0] - earlier[1]).total_seconds()) for earlier, later in pairwise(spans)]
    return Paid(
        paid_s=(life["EndDateTime"] - life["CreationDateTime"]).total_seconds(),
        steps_s=sum((end - start).total_seconds() for start, end in spans),
        between_steps_s=sum(gaps),
        before_first_step_s=(spans[0][0] - life["ReadyDateTime"]).total_seconds(),
        after_last_step_s=(life["EndDateTime"] - spans[-1][1]).total_seconds(),
        api_calls=api_calls,
    )


def _span(step: Any) -> tuple[datetime, datetime]:
    times = step["Status"]["Timeline"]
    return times["StartDateTime"], times["EndDateTime"]


def _clusters(config: StackConfig) -> list[Any]:
    return [c for page in aws.emr(config).get_paginator("list_clusters").paginate() for c in page["Clusters"]]


def _emr_calls(config: StackConfig) -> int:
    calls = httpx.get(f"{config.aws_url}/_local_aws/calls").json()["calls"]
    return sum(count for name, count in calls.items() if name.startswith("ElasticMapReduce"))


def _table(ours: Paid, stock: Paid) -> Table:
    table = Table("of one cluster", "ours", "stock wiring")
    for name, figure in asdict(ours).items():
        table.add_row(name, f"{figure:,.1f}", f"{asdict(stock)[name]:,.1f}")
    table.add_row("idle between steps, share of paid", f"{ours.idle_share:.1%}", f"{stock.idle_share:.1%}")
    return table


if __name__ == "__main__":
    sys.exit(main())
