"""Two devices of one process, as two GPUs are, mean the same training as one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("two_replicas.py")


@pytest.mark.parametrize(
    ("model", "tolerance"),
    [("small_cnn", 1e-5), ("efficientnet_lite0", 3e-3)],
    ids=["no batch statistics", "statistics over both"],
)
def test_an_epoch_on_two_devices_is_that_of_one(model, tolerance):
    """Rounding grows over fifty layers of batch statistics; statistics of half a batch each are further off."""
    done = subprocess.run([sys.executable, SCRIPT, model], check=True, capture_output=True, text=True)
    (one, loss, norm), (two, other_loss, other_norm) = json.loads(done.stdout.splitlines()[-1])
    assert (one, two) == (1, 2)
    assert other_loss == pytest.approx(loss, rel=tolerance)
    assert other_norm == pytest.approx(norm, rel=tolerance)
