"""Networks, loss, augmentation and optimizer on Keras's JAX backend, without TensorFlow in the process."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from dermaflow_jobs.models.augment import DRAWS, STRONG, augment
from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.train.recipe import cross_entropy

SCRIPT = """
import sys
from pathlib import Path
import jax
import keras
import numpy as np
from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.models.augment import STRONG, augment
from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.train.recipe import cross_entropy, make_optimizer

given = np.load(sys.argv[1])
network = build_logits(Design("small_cnn", 32, 3))
network.load_weights(sys.argv[2])
images = augment(given["images"], given["draws"], STRONG)

def loss_of(trainable, frozen):
    logits, _ = network.stateless_call(trainable, frozen, images, training=True)
    return cross_entropy(given["labels"], logits, smoothing=0.05, of=4)

trainable = [variable.value for variable in network.trainable_variables]
frozen = [variable.value for variable in network.non_trainable_variables]
optimizer = make_optimizer(TrainOptions(epochs=2, learning_rate=0.01), network, 20)
state = [variable.value for variable in optimizer.variables]
step = jax.jit(jax.value_and_grad(loss_of))
losses = []
for _ in range(8):
    loss, gradients = step(trainable, frozen)
    losses.append(float(loss))
    trainable, state = optimizer.stateless_apply(state, gradients, trainable)
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
np.savez(sys.argv[3], images=np.asarray(images), losses=losses)
"""


def test_the_recipe_runs_on_jax_and_starts_from_the_same_loss(tmp_path):
    """The same weights, images and draws give the same augmented images and loss; eight steps of AdamW lower it."""
    rng = np.random.default_rng(0)
    images, draws = rng.integers(0, 256, (4, 32, 32, 3), np.uint8), rng.uniform(size=(4, DRAWS)).astype("float32")
    labels = np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    network = build_logits(Design("small_cnn", 32, 3))
    network.save_weights(tmp_path / "w.weights.h5")
    np.savez(tmp_path / "given.npz", images=images, draws=draws, labels=labels)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, *(str(tmp_path / name) for name in ("given.npz", "w.weights.h5", "found.npz"))],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
        timeout=200,
    )
    found, varied = np.load(tmp_path / "found.npz"), augment(images, draws, STRONG)
    np.testing.assert_allclose(found["images"], varied, atol=0.02)
    loss = float(cross_entropy(labels, network(varied, training=True), smoothing=0.05, of=4))
    assert abs(found["losses"][0] - loss) < 1e-4
    assert found["losses"][-1] < found["losses"][0]
