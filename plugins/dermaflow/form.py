"""The trigger form, generated from the contract's options, and what a user filled in turned back into them.

Parameters are flat: every leaf of RunOptions under its own name, which is unique over all parts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow.sdk import Param

from dermaflow import settings
from dermaflow_jobs.contract.base import ContractError, Value
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


def parse_form(params: Mapping[str, Any]) -> RunOptions:
    """The options that flat params stand for. `root` is passed over.

    Raises ContractError with a line for every unknown name and every value that is not allowed.
    """
    parts = {leaf.name: leaf.part for leaf in leaves()}
    unknown = [name for name in params if name != ROOT and name not in parts]
    nested: dict[str, dict[str, Any]] = {}
    for name, part in parts.items():
        if name in params:
            nested.setdefault(part, {})[name] = params[name]
    problems = [_unknown(name, params[name], [ROOT, *parts]) for name in unknown]
    try:
        options = RunOptions.parse(nested)
    except ContractError as error:
        problems.append(str(error))
    if problems:
        raise ContractError("\n".join(problems))
    return options


def _unknown(name: str, value: object, allowed: list[str]) -> str:
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(sorted(allowed))}"
    return f"{name} = {value!r:.120}: no such param; {hint}"
