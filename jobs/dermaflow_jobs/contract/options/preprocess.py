"""How images become a dataset."""

from __future__ import annotations

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.field import option


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
