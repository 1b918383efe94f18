"""Whether a probability of .8 is right eight times of ten."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn import metrics as sk

from dermaflow_jobs.contract.metrics import Calibration

BINS = 15
RANGE = (0.1, 10.0)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, within RANGE, at which softmax(logits / T) makes the labels likeliest (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-np.take_along_axis(scaled, labels[:, None], axis=1).mean())

    found = minimize_scalar(loss, bounds=np.log(RANGE), method="bounded")
    return float(np.exp(found.x))


def calibration(labels: np.ndarray, probabilities: np.ndarray, temperature: float) -> Calibration:
    """`probabilities` are those after scaling; those before follow from them: softmax(T · log p)."""
    before = softmax(temperature * np.log(np.clip(probabilities, 1e-12, 1)), axis=1)
    return Calibration(
        temperature=temperature,
        ece_before=expected_calibration_error(labels, before),
        ece_after=expected_calibration_error(labels, probabilities),
        brier_before=brier(labels, before),
        brier_after=brier(labels, probabilities),
    )


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence, weighted by their images."""
    _, gaps, shares = reliability(labels, probabilities)
    return float((shares * np.abs(gaps)).sum())


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per bin with images: mean confidence, accuracy minus confidence, share of the images."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    used = count > 0
    mean = np.bincount(bins, confidence, BINS)[used] / count[used]
    accuracy = np.bincount(bins, right, BINS)[used] / count[used]
    return mean, accuracy - mean, count[used] / len(labels)


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    every = np.arange(probabilities.shape[1])
    normed = probabilities / probabilities.sum(axis=1, keepdims=True)
    return float(sk.brier_score_loss(labels, normed, labels=every, scale_by_half=False))
