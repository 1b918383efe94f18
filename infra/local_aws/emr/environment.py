"""What a process on a node sees: an environment made from nothing, and the programs that Amazon Linux would have.

Like an EMR node, it does not see what is installed elsewhere on this machine: `python3` and `python3.11` are bare
virtual environments of this interpreter (the second without pip, as on Amazon Linux 2023).
"""

from __future__ import annotations

import os
import shlex
import sys
import threading
import venv
from collections.abc import Mapping
from pathlib import Path

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

# How this machine reaches the network, and where it keeps downloaded wheels.
_PASSED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
_PASSED_PREFIXES = ("PIP_", "UV_")
_NEVER_PASSED = frozenset(
    {
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_TARGET",
        "PIP_USER",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
    }
)


class Image:
    """The machine image that every node of every cluster shares: a folder of programs, made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    @property
    def bin(self) -> Path:
        return self._folder / "bin"

    def make(self) -> None:
        """Takes some seconds the first time: ensurepip."""
        with self._lock:
            ready = self._folder / "READY"
            if ready.is_file() and ready.read_text() == sys.executable:
                return
            self.bin.mkdir(parents=True, exist_ok=True)
            for name, with_pip in (("python3", True), ("python3.11", False)):
                home = self._folder / f"{name}-home"
                venv.create(home, clear=True, symlinks=True, with_pip=with_pip)
                self._program(name, [str(home / "bin" / "python3")])
            self._program("aws", [sys.executable, "-I", "-m", "awscli"])
            ready.write_text(sys.executable)

    def _program(self, name: str, command: list[str]) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)


def passed_on(ours: Mapping[str, str]) -> dict[str, str]:
    """The part of our own environment that nodes get: network and caches, nothing that says where packages are."""
    home = Path(ours.get("HOME", "/"))
    cache = Path(ours.get("XDG_CACHE_HOME") or home / ".cache")
    config = Path(ours.get("XDG_CONFIG_HOME") or home / ".config")
    files = {"PIP_CONFIG_FILE": config / "pip" / "pip.conf", "UV_CONFIG_FILE": config / "uv" / "uv.toml"}
    found = {
        name: value
        for name, value in ours.items()
        if name not in _NEVER_PASSED
        and (name in _PASSED or name.startswith(_PASSED_PREFIXES) or name.lower().endswith("_proxy"))
    }
    defaults = {"UV_CACHE_DIR": str(cache / "uv"), "PIP_CACHE_DIR": str(cache / "pip")}
    return {**defaults, **{name: str(path) for name, path in files.items() if path.is_file()}, **found}


def node_environment(*, node: Path, image: Image, endpoint: str, region: str) -> dict[str, str]:
    """For bootstrap actions: EMR has not installed its applications yet, so there is no Spark."""
    home, scratch = node / "home", node / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        **passed_on(os.environ),
        "PATH": f"{image.bin}:{SYSTEM_PATH}",
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "USER": "hadoop",
        "LANG": "C.UTF-8",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": NODE_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": "node",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": _also_local(os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))),
        "no_proxy": _also_local(os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))),
    }


NODE_ACCESS_KEY = "ASIALOCALAWSNODE0000"
"""By which calls from nodes are told from calls of the control plane."""


def _also_local(no_proxy: str) -> str:
    return ",".join(filter(None, [no_proxy, "127.0.0.1", "localhost"]))
