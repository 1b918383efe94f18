"""Which releases and instance types there are. Instance types' sizes are EC2's own, as moto carries them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

# Spark 3.5 is the line that runs here, and these are the releases that carry it.
RELEASES = tuple(f"emr-7.{minor}.0" for minor in range(14, -1, -1))
OTHER_LINES = ("emr-5.", "emr-6.", "emr-spark-")
APPLICATIONS = {"Spark": "3.5.6", "Hadoop": "3.4.2", "AmazonCloudWatchAgent": "1.300032.2", "TensorFlow": "2.19.0"}
SIMULATED_APPLICATIONS = frozenset({"Spark", "Hadoop"})

_FAMILIES_EMR_LACKS = frozenset({"t1", "t2", "t3", "t3a", "t4g", "a1", "f1", "dl1", "vt1"})
_PREFIXES_EMR_LACKS = ("mac", "hpc", "u-", "inf", "trn")
_SIZES_EMR_LACKS = ("nano", "micro", "small", "medium", "metal")


@dataclass(frozen=True)
class InstanceType:
    name: str
    vcpus: int
    memory_mib: int
    architecture: str
    ebs_only: bool


@cache
def instance_types() -> dict[str, InstanceType]:
    """Those that EMR takes, by name."""
    packed = resources.files("moto.ec2").joinpath("resources/instance_types.json.gz").read_bytes()
    every = json.loads(gzip.decompress(packed))
    return {name: _read(name, each) for name, each in sorted(every.items()) if _emr_takes(name)}


def _read(name: str, ec2: dict[str, object]) -> InstanceType:
    def inner(key: str, default: object = None) -> dict[str, object]:
        found = ec2.get(key, default or {})
        return found if isinstance(found, dict) else {}

    architectures = inner("ProcessorInfo").get("SupportedArchitectures", ["x86_64"])
    return InstanceType(
        name=name,
        vcpus=int(str(inner("VCpuInfo").get("DefaultVCpus", 1))),
        memory_mib=int(str(inner("MemoryInfo").get("SizeInMiB", 1024))),
        architecture="arm64" if isinstance(architectures, list) and "arm64" in architectures else "x86_64",
        ebs_only=not ec2.get("InstanceStorageSupported", False),
    )


def _emr_takes(name: str) -> bool:
    family, _, size = name.partition(".")
    lacking = family in _FAMILIES_EMR_LACKS or family.startswith(_PREFIXES_EMR_LACKS)
    return not (lacking or size.startswith(_SIZES_EMR_LACKS))
