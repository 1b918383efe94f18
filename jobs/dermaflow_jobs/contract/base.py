"""The one kind of value that crosses between the planes, and the one error that says it is wrong."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class ContractError(ValueError):
    """A value that the contract does not allow; the message lists every problem, a line each."""


class Value(BaseModel):
    """A frozen value with no unknown fields, read and written as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @classmethod
    def parse(cls, data: dict[str, Any] | str | bytes, *, source: str | None = None) -> Self:
        """Build from a dict or a JSON text; `source` (a file or object) is named in the error.

        Raises ContractError with field, value and what is allowed, for every wrong field at once.
        """
        try:
            if isinstance(data, dict):
                return cls.model_validate(data)
            return cls.model_validate_json(data)
        except ValidationError as error:
            where = f" in {source}" if source else ""
            raise ContractError(f"{cls.__name__}{where}: {describe(error)}") from None

    def to_json(self) -> str:
        return self.model_dump_json(indent=2) + "\n"


def describe(error: ValidationError) -> str:
    """One line a problem: `field = value: what is allowed`."""
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join(str(part) for part in problem["loc"]) or "(whole value)"
        given = "" if problem["type"] == "missing" else f" = {problem['input']!r:.120}"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "no such field"
        lines.append(f"{field}{given}: {message}")
    return lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} problems", *lines])
