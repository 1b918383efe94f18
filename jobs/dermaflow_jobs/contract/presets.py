"""Named settings of a run: what a preset does not name keeps the option's default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

OptionValue = str | int | float | bool


@dataclass(frozen=True)
class Preset:
    about: str
    values: Mapping[str, OptionValue] = field(default_factory=dict)
    """Option → value; names are unique over all parts of RunOptions."""


STANDARD: Final = "standard"
PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "quick": Preset(
            "does everything work?",
            {"image_size": 64, "epochs": 3, "samples_per_class": 100, "eight_views": False},
        ),
        STANDARD: Preset("a small network from nothing"),
        "accurate": Preset(
            "from ImageNet weights; best scores, most work",
            {
                "model": "efficientnet_lite0",
                "image_size": 256,
                "epochs": 25,
                "samples_per_class": 667,
                "batch_size": 64,
                "learning_rate": 0.001,
                "ema": 0.995,
                "decision": "balanced",
            },
        ),
        "project_2021": Preset(
            "the network of 2021 as it was trained then",
            {
                "model": "seed_cnn",
                "epochs": 10,
                "samples_per_class": 334,
                "learning_rate": 0.0005,
                "weight_decay": 0,
                "label_smoothing": 0,
                "ema": 0,
                "eight_views": False,
            },
        ),
    }
)


def governed() -> frozenset[str]:
    """Options that any preset decides."""
    return frozenset(name for preset in PRESETS.values() for name in preset.values)
