"""Two runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from dermaflow.pages import charts
from dermaflow.pages.access import ResultsDep, RunKeyText
from dermaflow.pages.results import Results
from dermaflow.pages.run import option_rows
from dermaflow.pages.view import render
from dermaflow_jobs.contract.champion import Comparison
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import History, Interval, SplitMetrics
from dermaflow_jobs.contract.run_spec import RunSpec

router = APIRouter()


@dataclass(frozen=True)
class Side:
    record: LedgerRecord
    spec: RunSpec | None
    history: History | None

    @property
    def valid(self) -> SplitMetrics:
        return self.record.metrics.splits["valid"]


@dataclass(frozen=True)
class ScoreRow:
    title: str
    values: tuple[float | None, float | None]
    intervals: tuple[Interval | None, Interval | None]

    @property
    def difference(self) -> float | None:
        first, second = self.values
        return None if first is None or second is None else second - first


@router.get("/compare", name="compare")
def compare(
    request: Request, results: ResultsDep, run: Annotated[list[RunKeyText] | None, Query(max_length=10)] = None
) -> Response:
    chosen = list(dict.fromkeys(run or ()))
    if len(chosen) == 1:
        champion = results.champion()
        chosen += [champion.run_key] if champion and champion.run_key != chosen[0] else []
    if len(chosen) != 2:
        text = f"Choose two runs to compare; {len(chosen)} are chosen."
        return render(request, "problem.html", root=results.root, status=400, title="Compare", text=text, log_in="")
    a, b = results.together(lambda key: _side(results, key), chosen)
    same = a.record.metrics.dataset_id == b.record.metrics.dataset_id
    histories = {side.record.run_key: side.history for side in (a, b) if side.history}
    return render(
        request,
        "compare.html",
        root=results.root,
        sides=(a, b),
        same_dataset=same,
        scores=score_rows(a.valid, b.valid),
        paired=_paired(results, a.record, b.record),
        options=_options(a.spec, b.spec),
        chart=charts.both_widths(
            lambda width: charts.scores({side.record.run_key: side.valid for side in (a, b)}, width=width)
        ),
        learned=charts.both_widths(lambda width: charts.learning(histories, width=width)) if histories else "",
    )


def _side(results: Results, run_key: str) -> Side:
    record = results.record(run_key)
    if record is None:
        raise HTTPException(404, f"{run_key} is not in the ledger below {results.root}.")
    return Side(record, results.spec(run_key), results.history(run_key))


def score_rows(a: SplitMetrics, b: SplitMetrics) -> list[ScoreRow]:
    """Scores that either of the two has."""
    found: dict[str, tuple[str, float | None, float | None]] = {
        "mean_auc": ("Mean AUC", a.mean_auc, b.mean_auc),
        **{
            f"auc:{label}": (f"AUC {label.replace('_', ' ')}", a.auc.get(label), b.auc.get(label))
            for label in dict.fromkeys([*a.auc, *b.auc])
        },
        "isic2017_mean_auc": ("ISIC 2017 mean AUC", a.isic2017_mean_auc, b.isic2017_mean_auc),
        "balanced_accuracy": ("Balanced accuracy", a.balanced_accuracy, b.balanced_accuracy),
        "accuracy": ("Accuracy", a.accuracy, b.accuracy),
        **{
            f"sensitivity:{label}": (
                f"Sensitivity {label.replace('_', ' ')}", a.sensitivity.get(label), b.sensitivity.get(label)
            )
            for label in dict.fromkeys([*a.sensitivity, *b.sensitivity])
        },
    }  # fmt: skip
    return [
        ScoreRow(title, (first, second), (a.intervals.get(key), b.intervals.get(key)))
        for key, (title, first, second) in found.items()
        if first is not None or second is not None
    ]


def _paired(results: Results, a: LedgerRecord, b: LedgerRecord) -> tuple[str, Comparison] | None:
    """On the same images, where one of the two was once the other's challenger: its key, and what was found.

    A comparison names the very model; which run that was is in the history of champions.
    """
    found = [(one, other, one.promotion and one.promotion.comparison) for one, other in ((b, a), (a, b))]
    runs = {one.name: one.run_key for one in results.champions()} if any(each for _, _, each in found) else {}
    for challenger, champion, comparison in found:
        if comparison and runs.get(comparison.champion, comparison.champion) == champion.run_key:
            return challenger.run_key, comparison
    return None


def _options(a: RunSpec | None, b: RunSpec | None) -> list[tuple[str, str, str, bool]]:
    """Title, the two values, and whether they differ; those that differ first."""
    if a is None or b is None:
        return []
    pairs = zip(option_rows(a.options), option_rows(b.options), strict=True)
    rows = [(title, first, second, first != second) for (_, title, first, _), (_, _, second, _) in pairs]
    return sorted(rows, key=lambda row: not row[3])
