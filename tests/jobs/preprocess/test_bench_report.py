"""What `make bench-preprocess` makes of its measurements. They themselves are never taken in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pictures import jpeg

from bench import preprocess as bench

GOOD = {"vs_2021": 3.9, "vs_limit": 0.9, "psnr_db": 40.0, "scaling_2_cores": 1.9}
ROWS = [
    {
        "images": 1000.0,
        "cpu_ms_per_image": 10.0,
        "driver_peak_mb": 100.0,
        "jvm_peak_mb": 900.0,
        "executor_peak_mb": 99.0,
    },
    {
        "images": 3000.0,
        "cpu_ms_per_image": 10.5,
        "driver_peak_mb": 110.0,
        "jvm_peak_mb": 950.0,
        "executor_peak_mb": 99.0,
    },
]


def report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, float], rows: list[dict[str, float]]
) -> tuple[int, Any]:
    """Exit code and JSON, had this been measured."""
    monkeypatch.setattr(bench, "measure", lambda *_: found)
    monkeypatch.setattr(bench, "measure_job", lambda _: rows)
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    out = tmp_path / "report.json"
    code = bench.main(["--data", str(tmp_path), "--size", "100", "--spark", "1000", "3000", "--out", str(out)])
    return code, json.loads(out.read_text())


def test_met_targets_end_with_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of the first size stand at the top of the file, those of each below `sizes`."""
    code, found = report(tmp_path, monkeypatch, GOOD, ROWS)
    assert (code, found["missed"]) == (0, [])
    assert found["vs_2021"] == found["sizes"]["100"]["vs_2021"] == 3.9
    assert found["spark_growth"]["driver_peak_mb"] == 1.1


@pytest.mark.parametrize(
    ("name", "value"), [("vs_2021", 3.4), ("vs_limit", 0.84), ("psnr_db", 34.9), ("scaling_2_cores", 1.7)]
)
def test_a_missed_target_is_named_and_ends_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    """Speed, quality and scaling."""
    code, found = report(tmp_path, monkeypatch, {**GOOD, name: value}, ROWS)
    assert code == 1
    assert found["missed"] == [f"missed at 100 px: {name} = {value}, at least {bench.TARGETS[100][name]}"]


@pytest.mark.parametrize("name", ["cpu_ms_per_image", "driver_peak_mb", "executor_peak_mb"])
def test_a_job_whose_cost_or_memory_grows_with_the_images_ends_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """By more than it may, from the fewest to the most."""
    code, found = report(tmp_path, monkeypatch, GOOD, [ROWS[0], {**ROWS[1], name: 1.3 * ROWS[0][name]}])
    assert (code, found["missed"]) == (1, [f"missed by the job: {name} grows 1.3-fold"])
