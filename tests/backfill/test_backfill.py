"""Three weeks backfilled through the real Airflow, twice; then the schedule's own run, and news that is none."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import PreprocessReport
from local_stack import airflow, aws, processes, stack
from local_stack.airflow import AirflowApi
from local_stack.config import BUCKET, REPO, StackConfig, load_config

pytestmark = pytest.mark.timeout(900)
DAG_ID = "lesion_training"
LAYOUT = Layout.of(f"s3://{BUCKET}/dated")
CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
ARRIVALS = {"2026-08-05": 12, "2026-08-12": 6, "2026-08-19": 9, "2026-09-30": 3}
"""Day → images of each class that came then."""
SLOTS = 2
WRITERS = ("scheduler", "triggerer", "dag-processor")


@dataclass
class Backfill:
    """An Airflow with its schedule on, and everything that was alive at once while it was watched."""

    config: StackConfig
    env: dict[str, str]
    api: AirflowApi
    most_clusters: int = 0
    passes: list[dict[str, LedgerRecord]] = field(default_factory=list)

    def create(self, *args: str) -> None:
        """As the README prints it.

        SQLite lets one program write at a time and refuses the command otherwise, so the others pause meanwhile;
        PostgreSQL, which an installation has, needs no such thing.
        """
        command = [str(airflow.AIRFLOW), "backfill", "create", "--dag-id", DAG_ID]
        command += ["--from-date", "2026-08-03", "--to-date", "2026-08-18", *args]
        for name in WRITERS:
            processes.stop(self.config, name)
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        airflow.start(self.config, self.env)
        stack.wait(self.config)

    def watch(self, wanted: int, *, seconds: float = 400) -> list[dict[str, Any]]:
        """Until so many runs have ended and none goes on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.most_clusters = max(self.most_clusters, len(aws.clusters_alive(self.config)))
            runs: list[dict[str, Any]] = self.api.http.get(f"/api/v2/dags/{DAG_ID}/dagRuns").json()["dag_runs"]
            if len(runs) >= wanted and all(run["state"] in {"success", "failed"} for run in runs):
                return runs
            time.sleep(0.5)
        raise TimeoutError(f"unfinished: {[(run['dag_run_id'], run['state']) for run in runs]}")

    def wait_for_completion(self) -> None:
        """Airflow notices that a backfill is over after half a minute, and allows no second one before."""
        end = time.monotonic() + 120
        while any(not each["completed_at"] for each in self._backfills()):
            if time.monotonic() > end:
                raise TimeoutError("the backfill is not marked complete")
            time.sleep(1)

    def _backfills(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.http.get("/api/v2/backfills", params={"dag_id": DAG_ID}).json()[
            "backfills"
        ]
        return found

    def states(self, run_id: str) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.api.tasks(DAG_ID, run_id)}

    def read(self, key: str) -> bytes:
        body: bytes = aws.s3(self.config).get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def ledger(self) -> dict[str, LedgerRecord]:
        found = aws.s3(self.config).list_objects_v2(Bucket=BUCKET, Prefix=LAYOUT.ledger_runs_prefix())
        records = [LedgerRecord.parse(self.read(item["Key"])) for item in found["Contents"]]
        return {record.run_key: record for record in records}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job code with light steps."""
    folder = tmp_path_factory.mktemp("code")
    for part in ("jobs/dermaflow_jobs", "infra/emr"):
        shutil.copytree(REPO / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(REPO / "jobs" / name, folder / "jobs" / name)
    light = (Path(__file__).parent / "dated_step.py").read_text()
    for step in ("verify", "preprocess", "train", "evaluate"):
        (folder / "jobs" / "dermaflow_jobs" / step / "__main__.py").write_text(light.replace("@step@", step))
    return folder


@pytest.fixture(scope="module")
def backfill(tmp_path_factory: pytest.TempPathFactory, code: Path) -> Iterator[Backfill]:
    """Both passes are over, and the run that the schedule starts when the DAG is switched on."""
    config = load_config(tmp_path_factory.mktemp("dated"))
    own = {
        "DERMAFLOW_CODE_DIR": str(code),
        "DERMAFLOW_ROOT": f"s3://{BUCKET}/dated",
        "DERMAFLOW_MAX_CLUSTERS": str(SLOTS),
        "DERMAFLOW_SCHEDULE": "0 3 * * 1",
    }
    config = stack.up(config, scheduled=True, airflow_env=own)
    try:
        for day, count in ARRIVALS.items():
            for label in CLASSES:
                for number in range(count):
                    key = f"{LAYOUT.raw_prefix()}dt={day}/{label}/{day}-{number}.jpg"
                    aws.s3(config).put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        stack.wait(config)
        with AirflowApi.login(config) as api:
            api.wait_for_dag(DAG_ID)
            env = os.environ | airflow.environment(config, scheduled=True) | own
            ours = Backfill(config, env, api)
            ours.create()
            api.unpause(DAG_ID)
            ours.watch(4)
            ours.passes.append(ours.ledger())
            ours.wait_for_completion()
            ours.create("--reprocess-behavior", "completed")
            time.sleep(3)
            ours.watch(4)
            ours.passes.append(ours.ledger())
            yield ours
    finally:
        stack.down(config)


def dated(records: dict[str, LedgerRecord]) -> list[LedgerRecord]:
    found = [record for record in records.values() if record.run_type == "backfill"]
    return sorted(found, key=lambda record: str(record.logical_date))


def test_each_date_sees_what_had_come_by_its_interval_s_end(backfill: Backfill) -> None:
    """The ledger's curve: growing samples over the logical dates, with what each has cost."""
    records = dated(backfill.passes[0])
    assert [record.logical_date for record in records] == [datetime(2026, 8, day, 3, tzinfo=UTC) for day in (3, 10, 17)]
    assert [record.data_until for record in records] == [datetime(2026, 8, day, 3, tzinfo=UTC) for day in (10, 17, 24)]
    assert [record.metrics.train_images for record in records] == [36, 54, 81]
    assert all(record.cost and record.cost.usd > 0 for record in records)
    assert all(record.promotion for record in records)


def test_a_second_pass_replaces_each_date_s_record_and_doubles_none(backfill: Backfill) -> None:
    """The same dates, the same datasets, found again; the cost tells of both passes."""
    first, second = backfill.passes
    assert first.keys() == second.keys()
    assert len(second) == 4
    for before, after in zip(dated(first), dated(second), strict=True):
        assert after.recorded_at > before.recorded_at
        assert after.metrics.dataset_id == before.metrics.dataset_id
        report = PreprocessReport.parse(backfill.read(LAYOUT.step_report(after.run_key, "preprocess")))
        assert report.reused
        assert after.cost
        assert len(after.cost.clusters) == 2
    table = list(csv.DictReader(io.StringIO(backfill.read(LAYOUT.ledger_csv()).decode())))
    assert sorted(row["run_key"] for row in table) == sorted(second)
    assert all(row["cost_usd"] for row in table)


def test_there_were_never_more_clusters_than_slots_and_none_is_left(backfill: Backfill) -> None:
    """The plugin created the pool when the scheduler started; three dates and the schedule's run wanted four."""
    pool = backfill.api.http.get("/api/v2/pools/emr_clusters").json()
    assert (pool["slots"], pool["include_deferred"]) == (SLOTS, True)
    assert backfill.most_clusters == SLOTS
    assert aws.clusters_alive(backfill.config) == []


def test_the_best_of_all_dates_is_champion(backfill: Backfill) -> None:
    """However the runs overlapped. The schedule's own run saw all images."""
    champion = Champion.parse(backfill.read(LAYOUT.champion()))
    (scheduled,) = [record for record in backfill.passes[1].values() if record.run_type == "scheduled"]
    assert scheduled.metrics.train_images == 90
    best = max(backfill.passes[1].values(), key=lambda record: record.metrics.train_images)
    assert champion.run_key == best.run_key
    assert backfill.read(champion.model_key) == b"learned from 90"


def test_news_that_is_none_starts_a_run_that_is_skipped_and_rents_nothing(backfill: Backfill) -> None:
    """Somebody announces images on the asset that the last run has seen already."""
    api, before = backfill.api, all_clusters(backfill)
    assets = api.http.get("/api/v2/assets", params={"name_pattern": "raw_data"}).json()["assets"]
    (asset,) = [each for each in assets if each["name"] == "raw_data"]
    api.http.post("/api/v2/assets/events", json={"asset_id": asset["id"], "extra": {}}).raise_for_status()
    (run,) = [run for run in backfill.watch(5) if run["run_type"] == "asset_triggered"]
    assert run["state"] == "success"
    states = backfill.states(run["dag_run_id"])
    assert states.pop("check_inputs") == "success"
    assert set(states.values()) == {"skipped"}
    assert all_clusters(backfill) == before


def all_clusters(backfill: Backfill) -> int:
    pages = aws.emr(backfill.config).get_paginator("list_clusters").paginate()
    return sum(len(page["Clusters"]) for page in pages)
