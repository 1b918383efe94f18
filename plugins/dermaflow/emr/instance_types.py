"""EC2 instance types that a run may rent: size and price. Data, to be read and extended by people.

Prices are AWS's on-demand list prices in us-east-1 (USD an hour, EC2 plus EMR's surcharge) as of 2025. They serve where
AWS's Price List API cannot be asked (`prices.py`); the bill is AWS's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

PRICES_AS_OF: Final = date(2025, 1, 1)
"""Of the table below; the year is what is known."""


@dataclass(frozen=True)
class InstanceType:
    name: str
    vcpus: int
    memory_mib: int
    ec2_usd: float
    """An hour, on demand."""
    emr_usd: float = 0.0
    """EMR's surcharge an hour."""
    gpus: int = 0

    @property
    def usd_per_hour(self) -> float:
        return self.ec2_usd + self.emr_usd

    @property
    def architecture(self) -> str:
        return "arm64" if self.name.partition(".")[0] in _ARM_FAMILIES else "x86_64"


# family: (memory in GiB, EC2 price, EMR surcharge) of its xlarge, which has 4 vCPUs; sizes scale it
_FAMILIES: Final[dict[str, tuple[int, float, float]]] = {
    "c5": (8, 0.170, 0.0425),
    "c6i": (8, 0.170, 0.0425),
    "c7i": (8, 0.1785, 0.0446),
    "m5": (16, 0.192, 0.048),
    "m5a": (16, 0.172, 0.043),
    "m6i": (16, 0.192, 0.048),
    "m6a": (16, 0.1728, 0.0432),
    "m6g": (16, 0.154, 0.0385),
    "m7g": (16, 0.1632, 0.0408),
    "m7i": (16, 0.2016, 0.0504),
    "r5": (32, 0.252, 0.063),
    "r6i": (32, 0.252, 0.063),
    "r7i": (32, 0.2646, 0.0662),
}
_ARM_FAMILIES: Final = {"m6g", "m7g"}
_SIZES: Final = {"xlarge": 1, "2xlarge": 2, "4xlarge": 4, "8xlarge": 8, "12xlarge": 12, "16xlarge": 16, "24xlarge": 24}
_NOT_MADE: Final = {"m6g.24xlarge", "m7g.24xlarge"}
# name: (vCPUs, memory in GiB, EC2 price, EMR surcharge, GPUs)
_GPU_TYPES: Final[dict[str, tuple[int, int, float, float, int]]] = {
    "g4dn.xlarge": (4, 16, 0.526, 0.1315, 1),
    "g4dn.2xlarge": (8, 32, 0.752, 0.188, 1),
    "g4dn.4xlarge": (16, 64, 1.204, 0.27, 1),
    "g4dn.12xlarge": (48, 192, 3.912, 0.27, 4),
    "g5.xlarge": (4, 16, 1.006, 0.2515, 1),
    "g5.2xlarge": (8, 32, 1.212, 0.27, 1),
    "g5.4xlarge": (16, 64, 1.624, 0.27, 1),
    "g5.12xlarge": (48, 192, 5.672, 0.27, 4),
}
_MOST_SURCHARGE: Final = 0.27
"""EMR's surcharge stops growing here, whatever the size."""


def _all() -> dict[str, InstanceType]:
    types = {}
    for family, (gib, price, surcharge) in _FAMILIES.items():
        for size, times in _SIZES.items():
            name, more = f"{family}.{size}", round(min(surcharge * times, _MOST_SURCHARGE), 4)
            types[name] = InstanceType(name, 4 * times, gib * times * 1024, round(price * times, 4), more)
    for name, (vcpus, gib, price, surcharge, gpus) in _GPU_TYPES.items():
        types[name] = InstanceType(name, vcpus, gib * 1024, price, surcharge, gpus)
    return {name: kind for name, kind in types.items() if name not in _NOT_MADE}


INSTANCE_TYPES: Final = _all()
_AT_MOST_TIMES_AS_DEAR: Final = 1.25


def same_size(name: str) -> tuple[str, ...]:
    """Types that can stand in for one, cheapest first: its cores, memory, architecture, GPUs, and nearly its price."""
    one = INSTANCE_TYPES.get(name)
    if one is None:
        return ()
    alike = [
        kind
        for kind in INSTANCE_TYPES.values()
        if kind != one and _size(kind) == _size(one) and kind.usd_per_hour <= one.usd_per_hour * _AT_MOST_TIMES_AS_DEAR
    ]
    return tuple(kind.name for kind in sorted(alike, key=lambda kind: kind.usd_per_hour))


def _size(kind: InstanceType) -> tuple[int, int, int, str]:
    return kind.vcpus, kind.memory_mib, kind.gpus, kind.architecture
