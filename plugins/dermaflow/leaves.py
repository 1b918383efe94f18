"""The leaves of the contract's options: one thing each that a user may choose, with its JSON schema made flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dermaflow import settings
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.cluster_sizes import CLUSTER_SIZES, sized
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.presets import PRESETS, governed


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
    def governed(self) -> bool:
        """A preset decides it, where the user does not."""
        return self.name in governed()

    @property
    def sized(self) -> bool:
        """`cluster_size` decides it, where the user does not."""
        return self.name in sized()

    @property
    def may_be_empty(self) -> bool:
        return self.governed or self.sized

    @property
    def section(self) -> str | None:
        """The folded section that it stands in; None: the open one."""
        return self.part.replace("_", " ").capitalize() if self.advanced else None

    def of(self, preset: str) -> Any:
        """Its value where the user gives none."""
        return PRESETS[preset].values.get(self.name, self.default)

    def shown(self, value: Any) -> str:
        """The value with its unit, as a person would write it."""
        if isinstance(value, bool):
            return "on" if value else "off"
        if value is None:
            return "none"
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        return f"{text}{self._unit}"

    @property
    def allowed(self) -> str:
        """`32 to 512 px`, `above 0, at most 1`; or the unit alone, or nothing."""
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        if low is not None and high is not None:
            return f"{low:,} to {high:,}{self._unit}"
        bounds = {
            "at least": low,
            "above": self.schema.get("exclusiveMinimum"),
            "at most": high,
            "below": self.schema.get("exclusiveMaximum"),
        }
        said = ", ".join(f"{word} {value:,}" for word, value in bounds.items() if value is not None)
        return f"{said}{self._unit}".strip()

    @property
    def _unit(self) -> str:
        return f" {self.schema['unit']}" if self.schema.get("unit") else ""

    @property
    def help(self) -> str:
        allowed = f" Allowed: {self.allowed}." if self.allowed else ""
        text = f"{self.schema.get('description', '')}{allowed}"
        if self.sized:
            sizes = ", ".join(
                f"{n} {self.shown(s.values.get(self.name, self.default))}" for n, s in CLUSTER_SIZES.items()
            )
            return f"{text} Empty: as cluster_size says ({sizes})."
        if not self.governed:
            return text
        presets = ", ".join(f"{name} {self.shown(self.of(name))}" for name in PRESETS)
        return f"{text} Empty: as the preset says ({presets})."


def leaves(options: type[Value] = RunOptions) -> Iterator[Leaf]:
    """Every leaf of a value made of parts, those that are folded away last."""
    found = [leaf for part, field in options.model_fields.items() for leaf in _part(part, field.annotation)]
    yield from sorted(found, key=lambda leaf: leaf.advanced)


def _part(part: str, kind: Any) -> Iterator[Leaf]:
    model: type[Value] = kind
    schema = model.model_json_schema()
    defaults = model().model_dump(mode="json") | settings.installed()
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
