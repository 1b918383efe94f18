"""What the roles of infra/aws may do is what the code does, and no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from account.test_deployment import read
from dermaflow_jobs.contract.s3_layout import Layout

REPO = Path(__file__).parents[2]
WITHOUT_RESOURCES = re.compile(
    r"^(ec2:Describe|elasticmapreduce:(List|Describe|RunJobFlow|AddTags)|servicequotas:Get|pricing:GetProducts)"
)
"""Actions that IAM lets name no resource; they are bound by a tag or the region instead."""
ARGUMENTS = {
    "folder": "incoming/", "number": 1, "step": "train", "run_key": "r",
    "name": "images", "split": "valid", "label": "nevus", "trial": 1,
}  # fmt: skip


def roles() -> dict[str, list[dict[str, Any]]]:
    """Logical name → statements of its own policies."""
    found: dict[str, list[dict[str, Any]]] = {}
    body: Any = read("account")["Resources"]
    for name, resource in body.items():
        properties = resource.get("Properties", {})
        documents = [each["PolicyDocument"] for each in properties.get("Policies", ())]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        if documents:
            found[name] = [statement for document in documents for statement in document["Statement"]]
    return found


def test_no_statement_is_without_bounds() -> None:
    """Each names its actions, and resources, or a tag or region where its actions know none."""
    assert set(roles()) == {"ServiceRole", "NodeRole", "AutoScalingRole", "AirflowPolicy"}
    for name, statements in roles().items():
        for statement in statements:
            actions = listed(statement["Action"])
            assert not [action for action in actions if "*" in action], (name, statement)
            if statement["Resource"] == "*":
                assert statement.get("Condition"), (name, statement)
                assert all(WITHOUT_RESOURCES.match(action) for action in actions), (name, statement)


@pytest.mark.parametrize(("role", "folder"), [("NodeRole", "jobs/dermaflow_jobs"), ("AirflowPolicy", "plugins")])
def test_every_key_that_the_code_names_can_be_read(role: str, folder: str) -> None:
    """A new place in the layout needs a line in the role, or the first real run would find out."""
    keys = {name: key for name in used(folder) if (key := key_of(name))}
    assert len(keys) > 5
    readable = patterns(role, "s3:GetObject")
    assert {name for name, key in keys.items() if not matches(key, readable)} == set()


def test_nodes_change_neither_raw_images_nor_code_nor_what_is_decided() -> None:
    """A malicious image that takes a node over reaches the datasets and runs, not the ledger, champion or code."""
    writable = patterns("NodeRole", "s3:PutObject")
    layout = Layout("b", "")
    for key in (layout.run_spec("r"), layout.dataset_manifest("d"), f"{layout.environments_prefix()}x/y.tar.zst"):
        assert matches(key, writable)
    for key in (
        f"{layout.raw_prefix()}nevus/1.jpg",
        f"{layout.code_prefix('0' * 64)}bootstrap.sh",
        layout.ledger_run("r"),
        layout.ledger_csv(),
        layout.champion(),
        "security/in-transit.zip",
    ):
        assert not matches(key, writable), key
    assert patterns("NodeRole", "s3:DeleteObject") == ["runs/*"]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def patterns(role: str, action: str) -> list[str]:
    """Keys below the storage root that the action is allowed on, `*` for anything."""
    found = []
    for statement in roles()[role]:
        if action in listed(statement["Action"]):
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            found += [each["Fn::Sub"].partition("${Prefix}")[2] for each in resources]
    return found


def matches(key: str, allowed: list[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in allowed)


def used(folder: str) -> Iterator[str]:
    """Methods of Layout that are called below the folder, the contract apart."""
    methods = {name for name in vars(Layout) if not name.startswith("_")}
    for path in (REPO / folder).rglob("*.py"):
        if "contract" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in methods - {"of", "uri", "bucket", "prefix"}:
                yield node.attr


def key_of(method: str) -> str:
    """Such a key, with arguments made up by their names."""
    function = getattr(Layout("b", ""), method)
    if not callable(function):
        return ""
    code = function.__code__
    return str(function(*(ARGUMENTS.get(name, "x") for name in code.co_varnames[1 : code.co_argcount])))
