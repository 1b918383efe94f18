"""The tree is the architecture: a new folder at the top is a decision, not an accident."""

from __future__ import annotations

import subprocess
from pathlib import Path

REPO = Path(__file__).parents[2]
TOP = {
    "dags", "plugins", "jobs", "infra", "tests", "docker-compose.yml", "README.md", "OPERATIONS.md",
    "Makefile", "LICENSE", "pyproject.toml", "uv.lock",
}  # fmt: skip


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]


def test_the_top_level_is_what_the_design_says() -> None:
    """Besides dotfiles, nothing else stands at the top."""
    assert {name.split("/")[0] for name in tracked() if not name.startswith(".")} == TOP


def test_no_image_of_a_patient_is_in_the_repository() -> None:
    """Pictures in the tree are the README's own."""
    pictures = [name for name in tracked() if name.lower().endswith((".jpg", ".jpeg", ".png"))]
    assert not [name for name in pictures if not name.startswith(".github/images/")]
    assert not [name for name in pictures if "isic" in name.lower()]


def test_the_ci_command_is_the_readme_s() -> None:
    """CI runs what a new user is told to run."""
    commands = [
        line
        for line in (REPO / ".ci/run").read_text().splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]
    assert commands == ["make test"]
    assert "make test" in (REPO / "README.md").read_text()
