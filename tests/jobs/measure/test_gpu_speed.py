"""Measuring a step on Keras's JAX backend, on this machine's CPU: no number here is worth anything."""

from __future__ import annotations

import json

import pytest

from dermaflow_jobs.measure.gpu_speed import main, measure, summary

CPU = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}


@pytest.fixture
def on_cpu(monkeypatch):
    for name, value in CPU.items():
        monkeypatch.setenv(name, value)


def task(**given: object) -> dict[str, object]:
    tiny = {"model": "small_cnn", "image_size": 32, "batch_size": 4, "steps": 2, "epochs": 1, "precision": "bfloat16"}
    return tiny | given


@pytest.mark.usefixtures("on_cpu")
def test_a_measurement_that_fails_says_why_and_ends_no_other():
    found = measure(task(method="ours"), timeout=200)
    assert found["images_per_second"] > 0
    assert found["operations"] > 1e6
    assert measure(task(method="ours"), timeout=0.1) == {"error": "not done after 0 s"}


@pytest.mark.usefixtures("on_cpu")
def test_without_a_gpu_it_ends_at_once_and_says_so(tmp_path):
    out = tmp_path / "train_gpu.json"
    assert main(["--out", str(out)]) == 1
    found = json.loads(out.read_text())["found"]
    assert "JAX sees no GPU" in found["bfloat16"]["device"]["error"]
    assert len(found["bfloat16"]) == 1


def test_ratios_are_of_what_is_there():
    """The limit is the device's slower rate: here bytes, 200 of them at 100 a second for 8 images."""
    device, ours = {"operations": 1000.0, "bytes": 100.0}, {"operations": 500.0, "bytes": 200.0}
    fast = {"device": device, "ours": {"images_per_second": 2.0, **ours}, "bound": {"error": "an illegal instruction"}}
    found = summary({"bfloat16": fast, "float32": {"ours": {"images_per_second": 1.0}}}, batch_size=8)
    assert found["images_per_second"] == {"bfloat16": {"ours": 2.0, "limit": 4.0}, "float32": {"ours": 1.0}}
    assert (found["bfloat16_vs_float32"], found["vs_limit"]) == (2.0, 0.5)
    assert not {"vs_bound", "vs_fit"} & found.keys()
