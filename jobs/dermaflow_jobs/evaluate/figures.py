"""The model card's pictures, as SVG and PNG that stand in the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from sklearn import metrics as sk

from dermaflow_jobs.contract.metrics import History, SplitMetrics
from dermaflow_jobs.evaluate.calibration import reliability
from dermaflow_jobs.evaluate.predictions import Predictions

COLOURS = ("#b3261e", "#1f6feb", "#2e7d32", "#8e44ad", "#b26a00", "#00838f")
THIN: dict[str, Any] = {"color": COLOURS[0], "linewidth": 0.5, "alpha": 0.5, "label": "_fold"}
STYLE: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}


def roc(predictions: Predictions, classes: Sequence[str]) -> str:
    figure, axes = _axes("False alarms (1 − specificity)", "Found (sensitivity)")
    axes.plot([0, 1], [0, 1], color="#bbb", linewidth=0.8)
    for k, name in enumerate(classes):
        is_class = predictions.labels == k
        if is_class.any() and not is_class.all():
            x, y, _ = sk.roc_curve(is_class, predictions.probabilities[:, k])
            axes.plot(x, y, color=COLOURS[k % len(COLOURS)], label=name.replace("_", " "))
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


def reliability_curve(predictions: Predictions) -> str:
    figure, axes = _axes("Confidence", "Share right")
    confidence, gap, share = reliability(predictions.labels, predictions.probabilities)
    axes.plot([0, 1], [0, 1], color="#bbb", linewidth=0.8)
    axes.scatter(confidence, confidence + gap, s=400 * share, color=COLOURS[1], alpha=0.75)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    return _svg(figure)


def learning_curves(history: History) -> str:
    figure, axes = _axes("Epoch", "Loss")
    epochs = [epoch.epoch for epoch in history.epochs]
    axes.plot(epochs, [epoch.loss for epoch in history.epochs], color=COLOURS[1], label="training loss")
    axes.plot(epochs, [epoch.valid_loss for epoch in history.epochs], color=COLOURS[0], label="validation loss")
    for one in history.networks:
        axes.plot([epoch.epoch for epoch in one.epochs], [epoch.valid_loss for epoch in one.epochs], **THIN)
    right = axes.twinx()
    auc = [np.nan if epoch.mean_auc is None else epoch.mean_auc for epoch in history.epochs]
    right.plot(epochs, auc, color=COLOURS[2], linestyle="--", label="mean AUC")
    right.set_ylabel("Mean AUC, validation")
    right.set_ylim(top=1)
    lines = [line for line in (*axes.get_lines(), *right.get_lines()) if str(line.get_label())[0] != "_"]
    axes.legend(lines, [str(line.get_label()) for line in lines], frameon=False, loc="best")
    return _svg(figure)


def confusion(scores: SplitMetrics, classes: Sequence[str]) -> str:
    figure, axes = _axes("Predicted", "True")
    counts = np.array(scores.confusion)
    axes.imshow(counts / np.maximum(1, counts.sum(axis=1, keepdims=True)), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        colour = "white" if counts[row, column] > counts[row].sum() / 2 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    names = [name.replace("_", "\n") for name in classes]
    axes.set_xticks(range(len(classes)), names)
    axes.set_yticks(range(len(classes)), names)
    return _svg(figure)


def _axes(x: str, y: str) -> tuple[Figure, mpl.axes.Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 3.4), layout="constrained")
        axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _svg(figure: Figure) -> str:
    """Without date or random ids, so that the same run gives the same page."""
    out = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": "dermaflow"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def png(pixels: np.ndarray | Image.Image) -> str:
    """A data URI."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
