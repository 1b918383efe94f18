"""The ledger: one object a run, and tables derived from all of them that no writer can lose a row of."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from dermaflow.errors import WriteConflict
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Promotion
from dermaflow_jobs.contract.cost import RunCost
from dermaflow_jobs.contract.ledger import LedgerRecord, table, text_2021

log = logging.getLogger(__name__)
TRIES: Final = 60
READERS: Final = 16
Render = Callable[[list[LedgerRecord]], str]


def record_run(storage: Storage, record: LedgerRecord, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Write the run's record, replacing only its own, then bring both tables up to date."""
    storage.write_value(storage.layout.ledger_run(record.run_key), record)
    _derive_tables(storage, sleep)


def amend_record(
    storage: Storage, run_key: str, sleep: Callable[[float], None] = time.sleep, **fields: Promotion | RunCost
) -> bool:
    """Set these fields of the run's record and leave the others as they are. False where the run has none."""
    key = storage.layout.ledger_run(run_key)
    for attempt in range(TRIES):
        seen = storage.read(key)
        if seen is None:
            return False
        record = LedgerRecord.parse(seen.body, source=storage.layout.uri(key)).model_copy(update=fields)
        if storage.replace(key, record.to_json().encode(), seen=seen, content_type="application/json"):
            _derive_tables(storage, sleep)
            return True
        sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))  # noqa: S311 - spreads writers
    raise WriteConflict(
        attempted=f"tried {TRIES} times to amend",
        resource=storage.layout.uri(key),
        reason="other tasks kept writing it",
        remedy="clear this task",
    )


def _derive_tables(storage: Storage, sleep: Callable[[float], None]) -> None:
    _derive(storage, storage.layout.ledger_csv(), table, "text/csv", sleep)
    _derive(storage, storage.layout.ledger_text(), text_2021, "text/plain; charset=utf-8", sleep)


def read_ledger(storage: Storage) -> list[LedgerRecord]:
    """Every run's record. Raises ContractError naming an object that is none."""
    keys = [key for key in storage.keys(storage.layout.ledger_runs_prefix()) if key.endswith(".json")]
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(lambda key: storage.find(key, LedgerRecord), keys)
        return [record for record in found if record]


def _derive(storage: Storage, key: str, render: Render, content_type: str, sleep: Callable[[float], None]) -> None:
    """Compare and swap: the table is read before the records are listed, and written only if it is still the same.

    So whoever writes last has listed after every other writer's table, hence after every other writer's record.
    """
    for attempt in range(TRIES):
        seen = storage.read(key)
        body = render(read_ledger(storage)).encode()
        if seen and seen.body == body:
            return
        if storage.replace(key, body, seen=seen, content_type=content_type):
            return
        log.info("%s was written by another run meanwhile; deriving it again", storage.layout.uri(key))
        sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))  # noqa: S311 - spreads writers
    raise WriteConflict(
        attempted=f"tried {TRIES} times to bring up to date",
        resource=storage.layout.uri(key),
        reason="other runs kept writing it",
        remedy="clear this task: the run's own record is written, only the table lacks it",
    )
