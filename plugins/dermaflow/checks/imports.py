"""Will the job code's imports find what they name on a cluster?

Read from the sources: Airflow has neither Spark nor TensorFlow to import them with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from dermaflow.code_bundle import PACKAGE

NOT_ON_A_CLUSTER: Final = ("airflow", "dermaflow")
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def module_of(path: str) -> str:
    """`a/b.py` and `a/b/__init__.py` are `a.b`."""
    return path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")


def unfound(tree: ast.Module, modules: Mapping[str, ast.Module]) -> list[str]:
    """What a file imports of our own package that is not there, or that no cluster has.

    :param modules: all of the package's, by name.
    """
    return sorted(set(_unfound(tree, modules)))


def _unfound(tree: ast.Module, modules: Mapping[str, ast.Module]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if not _is_there(alias.name, modules))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if not _is_there(node.module, modules):
                yield node.module
            elif node.module in modules:
                yield from _undefined(node, node.module, modules)


def _is_there(name: str, modules: Mapping[str, ast.Module]) -> bool:
    """Other people's packages are the lock's matter; here they count as there."""
    top = name.split(".", maxsplit=1)[0]
    return top not in NOT_ON_A_CLUSTER and (top != PACKAGE or name in modules)


def _undefined(node: ast.ImportFrom, module: str, modules: Mapping[str, ast.Module]) -> Iterator[str]:
    names = _defined(modules[module])
    for alias in node.names:
        full = f"{module}.{alias.name}"
        if full not in modules and not {alias.name, "*", "__getattr__"} & names and alias.name != "*":
            yield full


def _defined(tree: ast.AST) -> set[str]:
    """Names that a module has once it is imported; `*` where it takes over all of another's."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, _SCOPES):
            found.add(getattr(node, "name", ""))
        else:
            found |= _defined(node)
    return found
