"""A node to run bootstrap.sh on: real programs, and those that a test puts in their place."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap_bundle import EMR, Bundle

# `aws s3 cp`, `aws s3 ls` and `aws s3api put-object` with folders for buckets, and a record of its calls. Every other
# program is the real one.
AWS = """#!/bin/bash
set -e
echo "$*" >>"$AWS_CALLS"
verb=$2; shift 2
[[ $verb != put-object ]] || shift
while [[ $verb != put-object && $1 == --* ]]; do shift; done
source=${1/#s3:\\/\\//$BUCKETS/} target=${2-}; target=${target/#s3:\\/\\//$BUCKETS/}
case $verb in
  ls) [[ -d $source ]] && ls -l --time-style='+%F %T' "$source" | awk 'NF > 6 { print $6, $7, $5, $8 }' ;;
  put-object) # --bucket B --key K --body FILE --if-none-match *
    target=$BUCKETS/$1/$3; [[ $4 == --body && $6 == --if-none-match && ! -e $target ]]
    mkdir -p "${target%/*}" && cp "$5" "$target" ;;
  cp)
    if [[ $source == */ ]]; then # of what is not there, nothing is copied, and that is no error
      [[ ! -d $source ]] || { mkdir -p "$target" && cp -r "$source." "$target"; }
    else mkdir -p "${target%/*}" && cp "$source" "$target"; fi ;;
  *) exit 64 ;;
esac
"""


_NETWORK_AND_CACHES = ("PIP_", "UV_", "SSL_", "REQUESTS_")


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str


@dataclass
class Machine:
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir(parents=True)
        self.has("aws", AWS)

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def venv(self) -> Path:
        return self.root / "env-1"

    @property
    def code(self) -> Path:
        return self.root / "code-1"

    def has(self, name: str, script: str) -> None:
        """Another program, or another in place of the real one."""
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)

    def start(self, bundle: Bundle, *more: str) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(_NETWORK_AND_CACHES)},
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
            "HOME": str(self.folder),
            "PATH": f"{self.bin}:{Path(sys.base_prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "AWS_CALLS": str(self.folder / "aws-calls"),
            "BUCKETS": str(bundle.bucket.parent),
            **self.settings,
        }
        where = ["--venv", str(self.venv), "--code", str(self.code)]
        return subprocess.Popen(
            [str(EMR / "bootstrap.sh"), "--bundle", bundle.uri, *where, *more],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def bootstrap(self, bundle: Bundle, *more: str) -> Outcome:
        process = self.start(bundle, *more)
        output, _ = process.communicate(timeout=120)
        return Outcome(process.returncode, output)

    def aws_calls(self) -> list[str]:
        calls = self.folder / "aws-calls"
        return calls.read_text().splitlines() if calls.exists() else []
