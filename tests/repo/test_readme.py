"""README and code are held together: what it prints exists, and what exists is in it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.score import ScoringOptions

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text()
OPERATIONS = (REPO / "OPERATIONS.md").read_text()
MAKEFILE = (REPO / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
PUBLIC_TARGETS = set(re.findall(r"^([a-z][a-z-]*):[^#\n]*##", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))


def commands() -> list[str]:
    """Lines of both texts' shell blocks, without comments."""
    blocks = re.findall(r"^ *```(?:sh|bash|console)\n(.*?)```", README + OPERATIONS, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_every_make_target_in_the_readme_exists() -> None:
    """In a shell block or in running text."""
    named = set(re.findall(r"(?:`|^ *)make ([a-z][a-z-]*)", README + OPERATIONS, re.MULTILINE))
    assert named
    assert named <= TARGETS


@pytest.mark.parametrize("target", sorted(PUBLIC_TARGETS))
def test_every_target_with_a_help_text_is_in_the_readme(target: str) -> None:
    """A chore that nobody can find is not one."""
    assert f"make {target}" in README


def test_every_variable_given_to_make_is_one_of_the_makefile_s() -> None:
    """`make demo DATA=…` works as printed."""
    given = {name for line in commands() if line.startswith("make") for name in re.findall(r"\b([A-Z_]+)=", line)}
    assert given <= VARIABLES
    assert {name for name in VARIABLES if name not in README} <= {"PYTHON"}


def test_every_parameter_of_a_run_is_in_the_readme_with_its_default() -> None:
    """The table of parameters says what the form says."""
    parts = {**RunOptions.model_fields, **ScoringOptions.model_fields}
    for part, found in parts.items():
        section = found.annotation
        assert section is not None
        for name, field in section.model_fields.items():
            row = re.search(rf"^\| `{name}` \|(.*)$", README, re.MULTILINE)
            assert row, f"{part}.{name} is not in the README's table of parameters"
            default = ", ".join(field.default) if isinstance(field.default, tuple) else field.default
            default = json.dumps(default) if isinstance(default, dict) else default
            assert f"`{default}`" in row[1], f"{name}: the README says {row[1]}, the code {default}"


def test_every_path_in_the_readme_is_a_path_of_the_repository() -> None:
    """Links and pictures lead somewhere."""
    links = set(re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", README)) | set(re.findall(r'src="([^"]+)"', README))
    assert links
    assert not [link for link in links if not (REPO / link).exists()]


def test_the_help_of_make_lists_the_public_targets() -> None:
    """`make help` is the other way to find them."""
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == PUBLIC_TARGETS


def test_every_argument_of_the_account_s_commands_exists() -> None:
    """`ACCOUNT='--internet none'` and the like, in either text."""
    options = (REPO / "infra" / "aws" / "__main__.py").read_text()
    named = set(re.findall(r"ACCOUNT='(--[a-z-]+)", README + OPERATIONS)) | {"--bucket"}
    assert len(named) > 2
    assert {name for name in named if f'"{name}"' not in options} == set()


def test_the_costs_in_the_guide_are_those_of_the_code() -> None:
    """An hour of each size at list prices."""
    from dermaflow.emr.cost import usd_per_hour
    from dermaflow.emr.prices import offline
    from dermaflow_jobs.contract.cluster_sizes import CLUSTER_SIZES
    from dermaflow_jobs.contract.options import ClusterOptions

    told = dict(re.findall(r"^\| `(\w+)` \| (\d+\.\d\d) \|", OPERATIONS, re.MULTILINE))
    sizes = {size: ClusterOptions.model_validate({"cluster_size": size}) for size in CLUSTER_SIZES}
    prices = offline("us-east-1").prices
    assert told == {size: f"{usd_per_hour(options, prices):.2f}" for size, options in sizes.items()}
