"""Checkpoints: a killed training goes on to the same end, and nothing else is taken for its state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dermaflow_jobs.contract.metrics import History
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.s3 import s3_client
from dermaflow_jobs.train.checkpoints import CheckpointError, Checkpoints, from_bytes, training_fingerprint
from dermaflow_jobs.train.worker import TrainWorker

ALONE = Placement(0, ("localhost:1",))
RECIPE = {"epochs": 3, "samples_per_class": 96, "batch_size": 16, "patience": 3}
SCRIPT = """
import sys
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.step import open_step
from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.train.worker import TrainWorker
context = open_step("train", sys.argv[1])
manifest = context.store.get(context.layout.dataset_manifest("tiny"), DatasetManifest)
TrainWorker(context.spec, context.store, manifest)(Placement(0, ("localhost:1",)))
"""


def final_state(store, spec, manifest):
    fingerprint = training_fingerprint(spec, manifest)
    return Checkpoints(store, spec.identity.run_key, fingerprint).load(3).arrays


def test_a_killed_training_goes_on_to_the_same_end(store, manifest, make_run):
    """kill -9 after the first checkpoint, then again from the start: weights, optimizer, average and scores agree."""
    spec, undisturbed = make_run("killed", **RECIPE), make_run("undisturbed", **RECIPE)
    uri = store.layout.uri(store.layout.run_spec("killed"))
    with subprocess.Popen([sys.executable, "-c", SCRIPT, uri], stderr=subprocess.DEVNULL, env=os.environ) as process:
        while not list(store.list(store.layout.checkpoints_prefix("killed"))):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not store.exists(store.layout.history("killed"))
    TrainWorker(spec, store, manifest)(ALONE)
    TrainWorker(undisturbed, store, manifest)(ALONE)

    resumed, whole = (store.get(store.layout.history(key), History).epochs for key in ("killed", "undisturbed"))
    assert [e.loss for e in resumed] == pytest.approx([e.loss for e in whole], abs=1e-5)
    first, second = final_state(store, spec, manifest), final_state(store, undisturbed, manifest)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert len(list(store.list(store.layout.checkpoints_prefix("killed")))) == 2


def test_a_checkpoint_of_another_training_is_refused(store, manifest, make_run):
    """Other options are another training: its checkpoints are not looked at, and one that is handed in is an error."""
    spec, other = make_run("undisturbed", **RECIPE), make_run("undisturbed", **{**RECIPE, "learning_rate": 0.01})
    mine, others = training_fingerprint(spec, manifest), training_fingerprint(other, manifest)
    assert Checkpoints(store, "undisturbed", others).newest() == 0
    key = f"{store.layout.checkpoints_prefix('undisturbed')}{mine[:16]}/epoch-00003.npz"
    body = store.get_bytes(key)
    assert len(from_bytes(body, fingerprint=mine, source=key).meta.epochs) == 3
    with pytest.raises(CheckpointError, match="other data, options or code"):
        from_bytes(body, fingerprint=others, source=key)


def test_a_checkpoint_has_the_tag_that_the_bucket_s_lifecycle_rule_goes_by(store):
    """The rule of infra/aws/account.yaml, as a whole word."""
    (newest, *_) = store.list(store.layout.checkpoints_prefix("undisturbed"))
    tags = s3_client().get_object_tagging(Bucket=store.layout.bucket, Key=newest["Key"])["TagSet"]
    assert tags == [{"Key": "dermaflow", "Value": "checkpoint"}]
    template = (Path(__file__).parents[3] / "infra" / "aws" / "account.yaml").read_text()
    assert "TagFilters: [{Key: dermaflow, Value: checkpoint}]" in template


@pytest.mark.parametrize("body", [b"", b"not a zip", b"\x80\x04\x95pickle"])
def test_a_damaged_checkpoint_is_named(body):
    with pytest.raises(CheckpointError, match="s3://bucket/epoch is no checkpoint or is damaged"):
        from_bytes(body, fingerprint="f", source="s3://bucket/epoch")
