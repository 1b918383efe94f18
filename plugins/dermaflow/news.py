"""Is there anything that no run has done yet? A pure decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from dermaflow.form import flat
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.run_spec import RunSpec

BY_ITSELF: Final = ("scheduled", "asset_triggered")
"""Types of runs that nobody asked for. A person's run, and a backfill, is never skipped."""
IRRELEVANT: Final = ("cluster", "promotion")
"""Parts of the options that make no other model."""


def twin(spec: RunSpec, given: str, champion: Champion | None, records: Iterable[LedgerRecord]) -> LedgerRecord | None:
    """The latest run that was given the same images, choices and code; None where this one brings something new.

    None, too, as long as there is no champion: then even the same again may give one.
    """
    if champion is None:
        return None
    wanted = relevant(spec)
    same = [
        record
        for record in records
        if record.inputs_id == given
        and record.code_id == spec.code.code_id
        and {name: record.choices.get(name) for name in wanted} == wanted
    ]
    return max(same, key=lambda record: record.recorded_at, default=None)


def relevant(spec: RunSpec) -> dict[str, Any]:
    """The choices that make a model what it is."""
    left_out = {name for part in IRRELEVANT for name in getattr(spec.options, part).model_dump()}
    return {name: value for name, value in flat(spec.options).items() if name not in left_out}
