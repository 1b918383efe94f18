"""The network and how it learns."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import StringConstraints, model_validator

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.backbones import Backbone
from dermaflow_jobs.contract.options.field import option

OwnModel = Literal["seed_cnn", "small_cnn", "efficientnet_lite0"]
Decision = Literal["likeliest", "balanced"]
WeightsUri = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+\.h5$")]


class TrainOptions(Value):
    """The network and how it learns."""

    model: Literal[OwnModel, Backbone] = option(
        "small_cnn",
        "Model",
        "seed_cnn is the network of 2021; small_cnn trains from nothing on a laptop; efficientnet_lite0 starts from"
        " ImageNet weights, scores best and costs most. The others, of keras.applications, need backbone_weights.",
    )
    backbone_weights: WeightsUri | None = option(
        None,
        "Backbone weights",
        "s3://… of the .weights.h5 or .h5 file that keras.applications has for the model without its top.",
        advanced=True,
    )
    frozen_share: float = option(
        0.0,
        "Frozen layers",
        "Share of a pretrained network's layers, counted from the image on, that keep their weights: the first cost"
        " most to train and change least.",
        unit="share",
        advanced=True,
        ge=0,
        le=0.95,
    )
    use_age_sex: bool = option(
        False,
        "Age and sex",
        "Give the network the patient's age and sex beside the image, where raw/labels.csv says them.",
        advanced=True,
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
    schedule: Literal["one_cycle", "cosine"] = option(
        "one_cycle",
        "Schedule",
        "How the learning rate moves. Both rise over warm_up and fall as half a cosine; one_cycle rises and falls"
        " smoothly, cosine rises in a straight line from nothing.",
        advanced=True,
    )
    warm_up: float = option(
        0.25,
        "Warm-up",
        "Share of all steps in which the learning rate rises.",
        unit="share",
        advanced=True,
        ge=0,
        le=0.9,
    )
    mixed_precision: bool = option(
        False,
        "Mixed precision",
        "Compute in bfloat16 and keep weights in float32. For GPUs; on CPUs it was slower.",
        advanced=True,
    )
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
    second_crop: bool = option(
        False,
        "Second crop",
        "The finished model also looks at the middle of the image, 0.7 of its side, and answers with the mean: for"
        " networks that learned from as close (those from ImageNet weights). Twice the work of one prediction.",
        advanced=True,
    )
    decision: Decision = option(
        "likeliest",
        "Decision",
        "Which class the finished model names. likeliest: the most probable. balanced: rare classes are favoured as"
        " much as the validation split shows that they are named too seldom; balanced accuracy and the sensitivity for"
        " rare classes rise, accuracy falls. Probabilities are the same.",
        advanced=True,
    )
    augment: bool = option(True, "Augmentation", "Flips, rotation, zoom and colour, drawn anew each epoch.")
    networks: int = option(
        1,
        "Networks",
        "Train this many networks, alike but for their seeds, and keep their mean as the model; as many times the"
        " work of training and of predicting.",
        advanced=True,
        ge=1,
        le=20,
    )
    folds: int = option(
        0,
        "Folds",
        "Train this many networks, each on the training split without its own fold, and keep their mean as the model;"
        " takes as many times as long. 0: on the whole training split.",
        advanced=True,
        ge=0,
        le=20,
    )
    train_workers: int = option(
        1,
        "Training workers",
        "Executors that train together, each on a share of the batch.",
        advanced=True,
        ge=1,
        le=64,
    )
    seed: int = option(2021, "Seed", "Of weights, sampling and augmentation.", advanced=True, ge=0, le=2**31 - 1)

    @property
    def fits(self) -> int:
        """Networks that are trained, one after the other."""
        return self.folds or self.networks

    @model_validator(mode="after")
    def _weights_go_with_the_model(self) -> TrainOptions:
        own = self.model in get_args(OwnModel)
        if own and self.backbone_weights:
            raise ValueError(f"backbone_weights: {self.model} takes none; leave it empty or choose another model")
        if not own and not self.backbone_weights:
            raise ValueError(f"model = {self.model}: needs backbone_weights, for nothing is downloaded from Keras")
        if self.folds == 1:
            raise ValueError("folds = 1: at least 2, or 0 for networks on the whole training split")
        if self.folds and self.networks > 1:
            raise ValueError(f"networks = {self.networks} with folds = {self.folds}: choose one of them")
        return self
