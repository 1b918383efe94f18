"""Networks in training take their batch statistics otherwise; they remain the same function of the same weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.models.registry import Design, build_logits, leaves
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.batch_norm import FusedBatchNormalization, for_training
from dermaflow_jobs.train.loop import Training
from dermaflow_jobs.train.problem import Problem

RNG = np.random.default_rng(3)
IMAGES = RNG.uniform(0, 255, (6, 64, 64, 3)).astype("float32")


def batch_norms(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in leaves(network) if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("frozen_share", [0.0, 0.37])
def test_a_step_of_the_fused_network_is_a_step_of_the_plain_one(frozen_share):
    """Loss, gradients and moving statistics, in float32; frozen layers keep theirs."""
    plain = build_logits(Design("efficientnet_lite0", 64, 3, frozen_share=frozen_share))
    fused = for_training(plain, replicas=1)
    assert [weight.path for weight in fused.weights] == [weight.path for weight in plain.weights]
    found = []
    for network in (plain, fused):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(network(IMAGES, training=True) ** 2)
        parts = [loss, *tape.gradient(loss, network.trainable_variables), *network.non_trainable_variables]
        found.append([np.asarray(part) for part in parts])
    for one, other in zip(*found, strict=True):  # rounding grows over fifty layers
        assert np.linalg.norm(other - one) < 0.03 * np.linalg.norm(one) + 1e-5
    kinds = [type(layer) for layer in batch_norms(fused)]
    assert set(kinds) == {FusedBatchNormalization}
    np.testing.assert_allclose(fused(IMAGES), plain(IMAGES), rtol=1e-3, atol=1e-3)


def test_over_several_replicas_statistics_are_taken_together():
    network = for_training(build_logits(Design("efficientnet_lite0", 64, 3)), replicas=2)
    assert {type(layer) for layer in batch_norms(network)} == {keras.layers.BatchNormalization}
    assert all(layer.synchronized for layer in batch_norms(network))


def test_a_network_of_keras_applications_is_fused_too():
    """Its layers lie in a network within the network."""
    image = keras.Input((64, 64, 3))
    inner = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg")
    network = for_training(keras.Model(image, inner(image)), replicas=1)
    assert len(batch_norms(network)) == len(batch_norms(inner)) > 50
    assert {type(layer) for layer in batch_norms(network)} == {FusedBatchNormalization}


def test_a_network_without_batch_statistics_stays_as_it_is():
    network = build_logits(Design("small_cnn", 32, 3))
    assert for_training(network, replicas=2) is network


def test_the_finished_network_has_keras_s_own_layers():
    """So that it is loaded without our code."""
    problem = Problem(TrainOptions(model="efficientnet_lite0"), ("a", "b", "c"), 64, (), ())
    training = Training(problem, Placement(0, ("localhost:1",)))
    assert {type(layer) for layer in batch_norms(training.model)} == {FusedBatchNormalization}
    assert {type(layer) for layer in batch_norms(training.averaged_model())} == {keras.layers.BatchNormalization}
