"""Which class a model names: the most probable one, or one that is rarer and nearly as probable.

Even where training draws all classes alike, of a rare one it draws the same few images again and again. The network
knows them by heart and expects less of new ones, so rare classes are named too seldom. Offsets mend that: after Menon
et al. 2021 (Long-tail learning via logit adjustment, post hoc), each class's is minus the logarithm of its share of the
training images, times a strength between 0 and 1 that images outside training decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

MOST_STRENGTH = 1.0
SCALES = (0.1, 10.0)
LEAST = 1e-12
"""Probability that a logarithm is taken of."""


def decide(probabilities: np.ndarray, offsets: Sequence[float] = ()) -> np.ndarray:
    """(images,) indices of classes, for (images, classes); without offsets the most probable."""
    named: np.ndarray = (_log(probabilities) + np.asarray(offsets) if offsets else probabilities).argmax(axis=1)
    return named


def fit_offsets(
    probabilities: np.ndarray, labels: np.ndarray, train_images: Sequence[int] | np.ndarray
) -> tuple[float, ...]:
    """By images that were not learned from; `train_images` says how many of each class were.

    Found is the strength at which the labels are likeliest, each class counting alike, however sure the network should
    be. One number is fitted, and another that is not kept, so a hundred images are enough.
    """
    rarity = -np.log(np.maximum(train_images, 1) / np.sum(train_images))
    present, counts = np.unique(labels, return_counts=True)
    weights = len(labels) / len(present) / counts[np.searchsorted(present, labels)]
    logs = _log(probabilities)

    def loss(given: np.ndarray) -> float:
        strength, log_scale = given
        adjusted = log_softmax(np.exp(log_scale) * logs + strength * rarity, axis=1)
        return float(-(weights * np.take_along_axis(adjusted, labels[:, None], axis=1)[:, 0]).mean())

    bounds = [(0.0, MOST_STRENGTH), tuple(np.log(SCALES))]
    found = minimize(loss, x0=(0.0, 0.0), bounds=bounds, method="L-BFGS-B")
    strength, log_scale = found.x
    return tuple(float(offset) for offset in strength / np.exp(log_scale) * (rarity - rarity.min()))


def _log(probabilities: np.ndarray) -> np.ndarray:
    logs: np.ndarray = np.log(np.maximum(probabilities, LEAST))
    return logs
