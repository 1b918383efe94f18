"""Networks, loss, augmentation and optimizer on Keras's JAX backend, without TensorFlow in the process."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from dermaflow_jobs.measure.jax_training import sequence
from dermaflow_jobs.models.augment import DRAWS, STRONG, augment
from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.train.recipe import cross_entropy

SCRIPT = """
import sys
import jax
import keras
import numpy as np
from jax import numpy as jnp
from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.measure.jax_training import Table, first_state, make_epoch
from dermaflow_jobs.models.augment import STRONG, augment
from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.train.recipe import make_optimizer

given = np.load(sys.argv[1])
network = build_logits(Design("small_cnn", 32, 3))
network.load_weights(sys.argv[2])
images = augment(given["images"], given["draws"], STRONG)
options = TrainOptions(epochs=2, batch_size=4, learning_rate=0.01, label_smoothing=0.05, augment=False)
optimizer = make_optimizer(options, network, 20)
table = Table(jnp.asarray(images), jnp.zeros((4, 4)), jnp.asarray(given["labels"]))
state, before = first_state(network, optimizer), [np.array(value) for value in network.trainable_variables]
drawn = jnp.tile(jnp.arange(4), (8, 1))
state, losses = make_epoch(network, optimizer, options)(state, table, drawn, jax.random.key(0))
moved = [abs(np.asarray(now) - old).max() for now, old in zip(state.trainable, before)]
behind = [abs(np.asarray(now) - mean).max() for now, mean in zip(state.trainable, state.average)]
varied = make_epoch(network, optimizer, options.model_copy(update={"augment": True}))
varied_losses = varied(first_state(network, optimizer), table, drawn, jax.random.key(0))[1]
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
assert int(state.step) == 8
np.savez(
    sys.argv[3], images=np.asarray(images), losses=losses, varied=varied_losses, moved=moved, behind=behind
)
"""


def test_the_recipe_runs_on_jax_and_starts_from_the_same_loss(tmp_path):
    """The same weights, images and draws give the same augmented images and loss; eight steps of AdamW lower it.

    They are one compiled program: every weight has moved, the average less far; with augmentation the loss is another.
    """
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
    assert (found["moved"] > found["behind"]).all()
    assert (found["behind"] > 0).all()
    assert abs(found["varied"][0] - found["losses"][0]) > 1e-3


def test_classes_take_turns_there_too_and_every_image_is_drawn_as_often_as_its_like():
    labels, rows = np.repeat([0, 1, 2], [4, 10, 7]), np.arange(1, 21)
    drawn = sequence(labels, rows, steps=10, batch=12, seed=1)
    np.testing.assert_array_equal(labels[drawn.ravel()], np.tile([0, 1, 2], 40))
    counts = np.bincount(drawn.ravel(), minlength=21)
    assert counts[0] == 0
    assert all(np.ptp(counts[rows[labels[rows] == label]]) <= 1 for label in range(3))
    assert (sequence(labels, rows, steps=10, batch=12, seed=2) != drawn).any()
