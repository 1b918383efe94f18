"""The trigger form, generated from the contract's options, and what a user filled in turned back into them.

Parameters are flat: every leaf of RunOptions under its own name, which is unique over all parts. What most people
change stands in the form's open section; the other options of each part are folded away in a section of its name.

A parameter that a preset or `cluster_size` decides starts empty, and empty means "as that says". So a value that
somebody gives always counts, be it the option's own default.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from airflow.sdk import Param
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dermaflow import settings
from dermaflow.leaves import Leaf, leaves
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.cluster_sizes import CLUSTER_SIZES
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.presets import PRESETS, STANDARD, OptionValue
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.score import ScoringOptions

Options = TypeVar("Options", bound=Value)
ROOT: Final = "root"
PRESET: Final = "preset"
_KEPT: Final = (
    "type", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "items",
    "exclusiveMinimum", "exclusiveMaximum", "title",
)  # fmt: skip
_RANGE: Final = ("minimum", "maximum")
"""Said to the check and not to the field: Airflow's number field would turn a 7 into the 32 that is least, and start
a run with it. So such a value is refused instead, with the words of the check."""


def form_params() -> dict[str, Param]:
    """For `DAG(params=…)`."""
    return {PRESET: _preset_param(), ROOT: _root_param()} | {leaf.name: _param(leaf) for leaf in leaves()}


def _preset_param() -> Param:
    return Param(
        STANDARD,
        "What the fields below mean that are left empty.",
        type="string",
        enum=list(PRESETS),
        values_display={name: f"{name}: {preset.about}" for name, preset in PRESETS.items()},
        title="Preset",
    )


def _root_param() -> Param:
    return Param(
        settings.storage_root(),
        "s3://bucket[/prefix]: images are read from raw/ below it, and everything is written below it.",
        type="string",
        pattern=RunSpec.model_json_schema()["properties"]["root"]["pattern"],
        title="Storage root",
    )


def _param(leaf: Leaf) -> Param:
    rules: dict[str, Any] = {key: leaf.schema[key] for key in _KEPT if key in leaf.schema}
    if bounds := {key: leaf.schema[key] for key in _RANGE if key in leaf.schema}:
        rules["allOf"] = [bounds]
    if leaf.section:
        rules["section"] = leaf.section
    if leaf.may_be_empty:
        return Param(None, leaf.help, **_or_empty(rules))
    return Param(leaf.default, leaf.help, **rules)


def _or_empty(rules: dict[str, Any]) -> dict[str, Any]:
    """The same field, which may be left empty. A switch has no third position, so on and off are written out."""
    if rules["type"] == "boolean":
        return rules | {"type": ["string", "boolean", "null"], "pattern": "^(on|off)$", "examples": ["on", "off"]}
    empty: dict[str, Any] = {"type": [rules["type"], "null"]}
    if "enum" in rules:
        empty |= {"enum": [None, *rules["enum"]], "values_display": {"None": "as the preset says"}}
    return rules | empty


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
    refused = _unknown_among(params, [ROOT, PRESET, *(leaf.name for leaf in leaves())])
    preset = params.get(PRESET, STANDARD)
    if preset not in PRESETS:
        refused.append(Refused(PRESET, preset, f"one of {', '.join(PRESETS)}"))
        preset = STANDARD
    options, found = _read(RunOptions, {**PRESETS[preset].values, **given(params)})
    return options, refused + found


def scoring_params() -> dict[str, Param]:
    """For `DAG(params=…)` of a DAG that scores new images."""
    return {ROOT: _root_param()} | {leaf.name: _param(leaf) for leaf in leaves(ScoringOptions)}


def read_scoring_form(params: Mapping[str, Any]) -> tuple[ScoringOptions, list[Refused]]:
    """As `read_form`, of `scoring_params`."""
    known = [leaf.name for leaf in leaves(ScoringOptions)]
    options, refused = _read(ScoringOptions, given(params, ScoringOptions))
    return options, _unknown_among(params, [ROOT, *known]) + refused


def _read(kind: type[Options], known: Mapping[str, Any]) -> tuple[Options, list[Refused]]:
    parts = {leaf.name: leaf.part for leaf in leaves(kind)}
    installed = {name: value for name, value in settings.installed().items() if name in parts}
    known = {**installed, **known}
    try:
        return kind.model_validate(_nested(known, parts)), []
    except ValidationError as error:
        refused = [_refused(problem) for problem in error.errors(include_url=False)]
    kept: dict[str, Any] = {}
    for name, value in known.items():
        with contextlib.suppress(ValidationError):
            kind.model_validate(_nested(kept | {name: value}, parts))
            kept[name] = value
    return kind.model_validate(_nested(kept, parts)), refused


def given(params: Mapping[str, Any], kind: type[Value] = RunOptions) -> dict[str, Any]:
    """The options among the params that the user did not leave to the preset or to the cluster's size."""
    by_name = {leaf.name: leaf for leaf in leaves(kind)}
    return {
        name: value
        for name, value in params.items()
        if name in by_name and not (value is None and by_name[name].may_be_empty)
    }


def resolved(params: Mapping[str, Any], options: RunOptions) -> str:
    """What the run will use, a line an option, and whose choice that was: for the log."""
    preset = str(params.get(PRESET, STANDARD))
    chosen = given(params)
    values = options.model_dump(mode="json")
    lines = [f"preset {preset}: {PRESETS[preset].about}"]
    for leaf in leaves():
        value = values[leaf.part][leaf.name]
        whose = _whose(leaf, value, preset, chosen, options.cluster.cluster_size)
        lines.append(f"  {leaf.name:22} {leaf.shown(value):38} {whose}".rstrip())
    return "\n".join(lines)


def _whose(leaf: Leaf, value: Any, preset: str, chosen: Mapping[str, Any], size: str) -> str:
    """The form sends the default of a field that nobody touched, so such a value says nothing of a choice."""
    if leaf.name in chosen and (leaf.may_be_empty or value != leaf.default):
        return "set for this run"
    if leaf.name in PRESETS[preset].values:
        return f"preset {preset}"
    return f"cluster_size {size}" if leaf.name in CLUSTER_SIZES[size].values else ""


def _nested(params: Mapping[str, OptionValue], parts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for name, value in params.items():
        nested.setdefault(parts[name], {})[name] = value
    return nested


def _refused(problem: ErrorDetails) -> Refused:
    """A problem of several params at once has the name of their part, or none."""
    name = str(problem["loc"][1 if len(problem["loc"]) > 1 else 0]) if problem["loc"] else "params"
    value = problem["input"] if len(problem["loc"]) > 1 else None
    return Refused(name, value, problem["msg"].removeprefix("Value error, "))


def _unknown_among(params: Mapping[str, Any], allowed: list[str]) -> list[Refused]:
    return [_unknown(name, value, allowed) for name, value in params.items() if name not in allowed]


def _unknown(name: str, value: object, allowed: list[str]) -> Refused:
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(sorted(allowed))}"
    return Refused(name, value, f"no such param; {hint}")
