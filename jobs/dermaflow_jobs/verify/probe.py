"""What one Python process can import."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import socket
import sys
from collections.abc import Mapping
from typing import Final, Literal

from dermaflow_jobs.contract.steps import NodePython

MODULES: Final[Mapping[str, str]] = {
    "boto3": "boto3",
    "google_crc32c": "google-crc32c",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "PIL": "pillow",
    "pyarrow": "pyarrow",
    "pydantic": "pydantic",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow",
}
"""Module → the distribution whose version is told."""


def probe(role: Literal["driver", "executor"], modules: Mapping[str, str] = MODULES) -> NodePython:
    """Import every module here and now; an import that fails is a finding, not an error."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for module, distribution in modules.items():
        try:
            loaded = importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - a broken shared library raises what it likes
            missing[module] = f"{type(error).__name__}: {error}"
        else:
            versions[module] = version_of(distribution, getattr(loaded, "__version__", "unknown"))
    return NodePython(
        host=socket.gethostname(),
        role=role,
        python=platform.python_version(),
        executable=sys.executable,
        versions=versions,
        missing=missing,
    )


def version_of(distribution: str, otherwise: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return otherwise
