"""The trigger form, generated from the contract's options, and what a user filled in turned back into them.

Parameters are flat: every leaf of RunOptions under its own name, which is unique over all parts.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow.sdk import Param
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dermaflow import settings
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import RunSpec

ROOT: Final = "root"
_KEPT: Final = (
    "type", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "items",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "title",
)  # fmt: skip


@dataclass(frozen=True)
class Leaf:
    """One thing a user may choose."""

    part: str
    name: str
    schema: dict[str, Any]
    default: Any

    @property
    def advanced(self) -> bool:
        return bool(self.schema.get("advanced"))

    @property
    def section(self) -> str:
        title = self.part.replace("_", " ").capitalize()
        return f"{title}, advanced" if self.advanced else title

    @property
    def help(self) -> str:
        unit = self.schema.get("unit")
        return str(self.schema.get("description", "")) + (f" Unit: {unit}." if unit else "")


def leaves() -> Iterator[Leaf]:
    """Every leaf of RunOptions, those that are folded away last."""
    found = [leaf for part, field in RunOptions.model_fields.items() for leaf in _part(part, field.annotation)]
    yield from sorted(found, key=lambda leaf: leaf.advanced)


def _part(part: str, kind: Any) -> Iterator[Leaf]:
    model: type[Value] = kind
    schema = model.model_json_schema()
    defaults = model().model_dump(mode="json")
    for name, field in schema["properties"].items():
        yield Leaf(part, name, _flattened(field, schema.get("$defs", {})), defaults[name])


def _flattened(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Pydantic writes `X | None` as anyOf, and enums as references; Airflow's form wants a plain field."""
    flat = dict(field)
    for reference in [flat.pop("$ref", None), *(part.get("$ref") for part in flat.get("allOf", ()))]:
        if reference:
            flat = {**definitions[reference.rsplit("/", 1)[-1]], **flat}
    if choices := flat.pop("anyOf", None):
        for choice in choices:
            flat |= {key: value for key, value in choice.items() if key != "type"}
        flat["type"] = [choice["type"] for choice in choices]
    if "const" in flat:
        flat["enum"] = [flat["const"]]
    return flat


def form_params() -> dict[str, Param]:
    """For `DAG(params=…)`."""
    root_schema = RunSpec.model_json_schema()["properties"]["root"]
    params = {
        ROOT: Param(
            settings.storage_root(),
            "s3://bucket[/prefix]: images are read from raw/ below it, and everything is written below it.",
            type="string",
            pattern=root_schema["pattern"],
            title="Storage root",
            section="Data",
        )
    }
    for leaf in leaves():
        rules = {key: leaf.schema[key] for key in _KEPT if key in leaf.schema}
        params[leaf.name] = Param(leaf.default, leaf.help, section=leaf.section, **rules)
    return params


def flat(options: RunOptions) -> dict[str, Any]:
    """The options as the flat params that would give them; JSON values."""
    parts = options.model_dump(mode="json")
    return {name: value for part in parts.values() for name, value in part.items()}


@dataclass(frozen=True)
class Refused:
    """A param that the contract does not allow."""

    name: str
    value: object
    allowed: str


def read_form(params: Mapping[str, Any]) -> tuple[RunOptions, list[Refused]]:
    """The options that flat params stand for, and every param that is refused. `root` is passed over.

    Where some are refused, the options are made of those that are not.
    """
    parts = {leaf.name: leaf.part for leaf in leaves()}
    allowed = [ROOT, *parts]
    refused = [_unknown(name, value, allowed) for name, value in params.items() if name not in allowed]
    known = {name: value for name, value in params.items() if name in parts}
    try:
        return RunOptions.model_validate(_nested(known, parts)), refused
    except ValidationError as error:
        refused += [_refused(problem) for problem in error.errors(include_url=False)]
    kept: dict[str, Any] = {}
    for name, value in known.items():
        with contextlib.suppress(ValidationError):
            RunOptions.model_validate(_nested(kept | {name: value}, parts))
            kept[name] = value
    return RunOptions.model_validate(_nested(kept, parts)), refused


def _nested(params: Mapping[str, Any], parts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for name, value in params.items():
        nested.setdefault(parts[name], {})[name] = value
    return nested


def _refused(problem: ErrorDetails) -> Refused:
    """A problem of several params at once has the name of their part, or none."""
    name = str(problem["loc"][1 if len(problem["loc"]) > 1 else 0]) if problem["loc"] else "params"
    value = problem["input"] if len(problem["loc"]) > 1 else None
    return Refused(name, value, problem["msg"].removeprefix("Value error, "))


def _unknown(name: str, value: object, allowed: list[str]) -> Refused:
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(sorted(allowed))}"
    return Refused(name, value, f"no such param; {hint}")
