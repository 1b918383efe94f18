"""The network and how it learns."""

from __future__ import annotations

from typing import Literal

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.field import option


class TrainOptions(Value):
    """The network and how it learns."""

    model: Literal["seed_cnn", "small_cnn", "efficientnet_lite0"] = option(
        "small_cnn",
        "Model",
        "seed_cnn is the network of 2021; small_cnn trains from nothing on a laptop; efficientnet_lite0 starts from"
        " ImageNet weights, scores best and costs most.",
    )
    epochs: int = option(20, "Epochs", "Passes over samples_per_class images of every class.", ge=1, le=500)
    samples_per_class: int = option(
        250,
        "Samples per class",
        "Images drawn evenly from each class every epoch, augmented anew each time.",
        unit="images",
        ge=1,
        le=1_000_000,
    )
    batch_size: int = option(
        32, "Batch size", "Global batch: over all workers.", unit="images", advanced=True, ge=1, le=4096
    )
    learning_rate: float = option(0.002, "Learning rate", "Peak of the schedule.", advanced=True, gt=0, le=1)
    weight_decay: float = option(0.05, "Weight decay", "Of AdamW, times the learning rate.", advanced=True, ge=0, le=1)
    label_smoothing: float = option(
        0.05,
        "Label smoothing",
        "Share of a label's weight that is spread over all classes.",
        unit="share",
        advanced=True,
        ge=0,
        le=0.5,
    )
    ema: float = option(
        0.99,
        "Averaging of weights",
        "Decay of the exponential moving average of the weights, whose value is what is validated and kept.",
        advanced=True,
        ge=0,
        lt=1,
    )
    patience: int = option(
        0,
        "Early stopping",
        "Stop after this many epochs without a better mean AUC on validation, and keep the best epoch's weights."
        " 0: never; the last epoch's weights are kept.",
        unit="epochs",
        advanced=True,
        ge=0,
        le=500,
    )
    eight_views: bool = option(
        True,
        "Eight views",
        "The finished model answers with the mean over the image's eight flips and quarter turns: better, and eight"
        " times the work of one prediction.",
        advanced=True,
    )
    augment: bool = option(True, "Augmentation", "Flips, rotation, zoom and colour, drawn anew each epoch.")
    train_workers: int = option(
        1,
        "Training workers",
        "Executors that train together, each on a share of the batch.",
        advanced=True,
        ge=1,
        le=64,
    )
    seed: int = option(2021, "Seed", "Of weights, sampling and augmentation.", advanced=True, ge=0, le=2**31 - 1)
