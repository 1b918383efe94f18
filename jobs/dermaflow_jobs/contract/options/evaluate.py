"""What is measured."""

from __future__ import annotations

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.field import option


class EvaluateOptions(Value):
    """What is measured."""

    use_test_split: bool = option(
        False,
        "Touch the test split",
        "Score the test split too. Do this once, for the model you mean to keep.",
        advanced=True,
    )
    card_images: bool = option(
        True,
        "Images on the card",
        "Show sample images with heat maps on the model card; off where images may not leave their place.",
        advanced=True,
    )
