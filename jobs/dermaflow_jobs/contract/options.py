"""What a user chooses for a run, in five parts. Airflow's trigger form is generated from these fields.

Titles, units, help texts and ranges live here and nowhere else. Field names are unique over all parts, so that
the form's flat parameters need no prefix (a test holds this).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from dermaflow_jobs.contract.base import Value

DEFAULT_CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")

ClassName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
InstanceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]


def option(default: Any, title: str, help: str, *, unit: str = "", advanced: bool = False, **rules: Any) -> Any:
    """A pydantic field that also tells the form its unit and whether it is folded away."""
    return Field(
        default, title=title, description=help, json_schema_extra={"unit": unit, "advanced": advanced}, **rules
    )


class DataOptions(Value):
    """Which images."""

    classes: tuple[ClassName, ...] = option(
        DEFAULT_CLASSES, "Classes", "Folder names under raw/, one a class.", advanced=True, min_length=2, max_length=32
    )
    max_bad_share: float = option(
        0.05,
        "Unreadable images allowed",
        "Share of objects that may be unusable before preprocessing fails. Each is kept in the quarantine list.",
        unit="share",
        advanced=True,
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _classes_differ(self) -> DataOptions:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must differ from each other")
        return self


class PreprocessOptions(Value):
    """How images become a dataset. Every field here is part of the dataset's identity."""

    image_size: int = option(
        100, "Image size", "Images are resized to this many pixels a side.", unit="px", ge=32, le=512
    )
    valid_share: float = option(
        0.15,
        "Validation share",
        "Share of images held out for validation, where the data brings no official split.",
        unit="share",
        ge=0.05,
        le=0.4,
    )
    test_share: float = option(
        0.15,
        "Test share",
        "Share of images held out for the one final test, where the data brings no official split.",
        unit="share",
        advanced=True,
        ge=0,
        le=0.4,
    )
    split_salt: str = option(
        "dermaflow",
        "Split salt",
        "Mixed into the content hash that decides an image's split. Another salt is another split.",
        advanced=True,
        max_length=64,
    )
    max_megapixels: int = option(
        64,
        "Largest image",
        "An image of more pixels than this is quarantined before it is decoded.",
        unit="MP",
        advanced=True,
        ge=1,
        le=512,
    )
    colour_constancy: bool = option(
        False,
        "Colour constancy",
        "Even out the light's colour (shades of gray) after conversion to sRGB.",
        advanced=True,
    )
    shard_mb: int = option(128, "Shard size", "Size that a shard is filled to.", unit="MB", advanced=True, ge=1, le=256)


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


class EvaluateOptions(Value):
    """What is measured."""

    use_test_split: bool = option(
        False,
        "Touch the test split",
        "Score the test split too. Do this once, for the model you mean to keep.",
        advanced=True,
    )


class ClusterOptions(Value):
    """What is rented, and for how long at most."""

    release_label: str = option(
        "emr-7.14.0", "EMR release", "Spark 3.5 line.", advanced=True, pattern=r"^emr-\d+\.\d+\.\d+$"
    )
    primary_type: InstanceType = option("m6i.xlarge", "Primary instance type", "EC2 type of the primary node.")
    core_type: InstanceType = option("m6i.xlarge", "Core instance type", "EC2 type of the core nodes.")
    core_count: int = option(2, "Core nodes", "How many nodes do the work.", unit="nodes", ge=1, le=256)
    service_role: str = option(
        "DermaflowEmrService",
        "Service role",
        "IAM role that EMR assumes.",
        advanced=True,
        pattern=r"^[A-Za-z0-9_+=,.@/:-]+$",
        max_length=512,
    )
    instance_profile: str = option(
        "DermaflowEmrNode",
        "Instance profile",
        "What the cluster's nodes may do.",
        advanced=True,
        pattern=r"^[A-Za-z0-9_+=,.@/:-]+$",
        max_length=512,
    )
    subnet_id: str | None = option(
        None,
        "Subnet",
        "Where the nodes stand; empty: the account's default.",
        advanced=True,
        pattern=r"^subnet-[0-9a-f]+$",
    )
    environment_root: str = option(
        "/var/tmp/dermaflow",  # noqa: S108 - the bootstrap action refuses it if somebody else owns it
        "Environment root",
        "Folder on every node that the bootstrap action builds the Python environment in.",
        advanced=True,
        pattern=r"^/[A-Za-z0-9_./-]+$",
        max_length=200,
    )
    idle_minutes: int = option(
        15,
        "Idle timeout",
        "EMR ends the cluster by itself after this long without work.",
        unit="min",
        advanced=True,
        ge=1,
        le=1440,
    )
    max_hours: float = option(
        6.0, "Deadline", "A cluster older than this is ended whatever it does.", unit="h", advanced=True, gt=0, le=168
    )
    max_cost_usd: float = option(
        25.0, "Cost limit", "A run whose estimate is above this does not start.", unit="USD", gt=0, le=100_000
    )


class RunOptions(Value):
    """All that a user may choose."""

    data: DataOptions = DataOptions()
    preprocess: PreprocessOptions = PreprocessOptions()
    train: TrainOptions = TrainOptions()
    evaluate: EvaluateOptions = EvaluateOptions()
    cluster: ClusterOptions = ClusterOptions()

    @model_validator(mode="after")
    def _shares_leave_room(self) -> RunOptions:
        held_out = self.preprocess.valid_share + self.preprocess.test_share
        if held_out > 0.6:
            raise ValueError(f"valid_share + test_share = {held_out:.2f}: at most 0.6, the rest is for training")
        if self.train.batch_size % self.train.train_workers:
            raise ValueError(
                f"batch_size = {self.train.batch_size}: must be a multiple of"
                f" train_workers = {self.train.train_workers}"
            )
        return self
