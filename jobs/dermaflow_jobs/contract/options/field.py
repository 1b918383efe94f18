"""How an option is declared: a pydantic field that also tells the form its unit and whether it is folded away."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def option(default: Any, title: str, help: str, *, unit: str = "", advanced: bool = False, **rules: Any) -> Any:
    """A pydantic field that also tells the form its unit and whether it is folded away."""
    return Field(
        default, title=title, description=help, json_schema_extra={"unit": unit, "advanced": advanced}, **rules
    )
