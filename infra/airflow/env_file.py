"""`make compose-env`: .env from .env.example, each empty value drawn at random. An .env that is there stays.

Needs nothing but Python, so that containers can be tried before anything is installed.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def main(target: Path) -> int:
    if target.exists():
        print(f"{target} is there already; it stays as it is")  # noqa: T201
        return 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(filled((REPO / ".env.example").read_text()))
    print(f"{target} written, readable by you alone; the admin's password is in it")  # noqa: T201
    return 0


def filled(example: str) -> str:
    return "\n".join(line + drawn() if is_empty(line) else line for line in example.splitlines()) + "\n"


def is_empty(line: str) -> bool:
    return line.endswith("=") and not line.startswith("#")


def drawn() -> str:
    """Thirty-two bytes in URL-safe base64, which is also what a Fernet key is."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPO / ".env"))
