"""What the pages read from S3. Few, bounded reads: tables instead of records, a cap on what is read at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

from dermaflow.aws import PROMPT, s3_hook
from dermaflow.pages.ledger_table import Table, parse_table
from dermaflow.settings import AWS_CONN_ID
from dermaflow.storage import Storage
from dermaflow_jobs.contract.base import ContractError, Value
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.cost import RunCost
from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import History
from dermaflow_jobs.contract.progress import Progress
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

log = logging.getLogger(__name__)
V = TypeVar("V", bound=Value)
T = TypeVar("T")

MOST_JSON: Final = 8_000_000
MOST_TABLE: Final = 16_000_000
MOST_CARD: Final = 32_000_000
CHAMPIONS: Final = 50
"""The newest ones that a page shows."""
READERS: Final = 16
CLIENT_LIVES_S: Final = 300
"""Then Airflow's connection is looked up again."""
STEPS: Final = ("verify", "preprocess", "train", "evaluate")


@dataclass(frozen=True)
class StepState:
    """How far a step of an unfinished run is."""

    name: str
    done: bool
    progress: Progress | None
    failure: FailureReport | None


@dataclass(frozen=True)
class Results:
    """Below one storage root. Raises AwsCallFailed where S3 does not give an answer."""

    root: str
    storage: Storage

    @property
    def layout(self) -> Layout:
        return self.storage.layout

    def table(self) -> Table:
        """Every run of the ledger, from its one table."""
        found = self.storage.read(self.layout.ledger_csv(), most=MOST_TABLE)
        return parse_table(found.body.decode(errors="replace")) if found else Table((), 0)

    def record(self, run_key: str) -> LedgerRecord | None:
        return self._find(self.layout.ledger_run(run_key), LedgerRecord)

    def spec(self, run_key: str) -> RunSpec | None:
        return self._optional(self.layout.run_spec(run_key), RunSpec)

    def history(self, run_key: str) -> History | None:
        return self._optional(self.layout.history(run_key), History)

    def cost(self, run_key: str) -> RunCost | None:
        return self._optional(self.layout.run_cost(run_key), RunCost)

    def manifest(self, dataset_id: str) -> DatasetManifest | None:
        return self._find(self.layout.dataset_manifest(dataset_id), DatasetManifest)

    def champion(self) -> Champion | None:
        return self._optional(self.layout.champion(), Champion)

    def champions(self) -> list[Champion]:
        """Newest first: the history and the pointer, which may be one ahead of it."""
        keys = sorted(self.storage.keys(self.layout.champion_history_prefix()))[-CHAMPIONS:]
        found = self.together(lambda key: self._optional(key, Champion), [self.layout.champion(), *keys])
        by_number = {one.number: one for one in found if one}
        return sorted(by_number.values(), key=lambda one: one.number, reverse=True)

    def steps(self, run_key: str) -> list[StepState]:
        def state(step: str) -> StepState:
            done = self.storage.exists(self.layout.step_report(run_key, step))
            progress = None if done else self._optional(self.layout.step_progress(run_key, step), Progress)
            failure = None if done else self._optional(self.layout.step_failure(run_key, step), FailureReport)
            return StepState(step, done, progress, failure)

        return self.together(state, STEPS)

    def card(self, key: str) -> bytes | None:
        """An HTML object. A key that a record names counts only if it lies below the storage root."""
        if not key.startswith(self.layout.prefix) or not key.endswith(".html"):
            return None
        found = self.storage.read(key, most=MOST_CARD)
        return found.body if found else None

    def together(self, read: Callable[[str], T], keys: Iterable[str]) -> list[T]:
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(read, keys))

    def _find(self, key: str, kind: type[V]) -> V | None:
        """Raises ContractError where the object is not such a value."""
        found = self.storage.read(key, most=MOST_JSON)
        return kind.parse(found.body, source=self.layout.uri(key)) if found else None

    def _optional(self, key: str, kind: type[V]) -> V | None:
        """What a page can do without: an object that is none is told in the log."""
        try:
            return self._find(key, kind)
        except ContractError as error:
            log.warning("%s", error)
            return None


def open_results(root: str) -> Results:
    return Results(root, Storage(Layout.of(root), _client(int(time.monotonic() / CLIENT_LIVES_S))))


@lru_cache(maxsize=1)
def _client(_period: int) -> Any:
    return s3_hook(AWS_CONN_ID, None, PROMPT).conn
