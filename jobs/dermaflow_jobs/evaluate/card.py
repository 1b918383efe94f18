"""The model card: one HTML page that needs nothing beside it, for whoever asks what this model is worth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import exp

from dermaflow_jobs.contract.cost import cost_in_card
from dermaflow_jobs.contract.dataset import DatasetManifest, Split
from dermaflow_jobs.contract.metrics import History, Interval, Metrics, SplitMetrics
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.contract.trials import Trial
from dermaflow_jobs.evaluate import figures
from dermaflow_jobs.evaluate.predictions import Predictions
from dermaflow_jobs.evaluate.samples import Sample

STYLE = """
body{font:15px/1.55 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1rem 0 .3rem}
table{border-collapse:collapse}td,th{padding:.25rem .9rem .25rem 0;text-align:right;border-bottom:1px solid #e3e7ee}
td:first-child,th:first-child{text-align:left}code,pre{font-size:.85em;word-break:break-all;white-space:pre-wrap}
.loud{background:#b3261e;color:#fff;padding:.6rem 1rem;border-radius:6px;font-weight:600}
.row{display:flex;gap:1.2rem;flex-wrap:wrap}figure{margin:0 0 1rem}figcaption{font-size:.85rem;color:#56617a}
figure svg{width:100%;max-width:440px;height:auto}.pair img{width:120px;height:120px;border-radius:4px;margin-right:4px}
@media(max-width:700px){table{display:block;overflow-x:auto}}
:root{color-scheme:light dark}@media(prefers-color-scheme:dark){body{background:#12161d;color:#e8ecf2}
td,th{border-color:#323b4a}figcaption{color:#9aa6ba}figure svg{background:#fff;border-radius:6px;padding:4px}}
"""
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'
LIMITS = (
    "Not for clinical use. It was never tried on patients, and its probabilities are no diagnosis.",
    "The images carry no skin-tone labels: how it does on darker skin is not known.",
    "It knows only its classes and will name one of them whatever it is shown.",
    "Images were chosen by specialists; what a camera meets in practice is different.",
    "The temperature and the decision were fitted, and the weights' epoch may have been chosen, on the validation"
    " split: its scores flatter a little. The test split's do not, as long as it is used once.",
)


@dataclass(frozen=True)
class CardContents:
    spec: RunSpec
    manifest: DatasetManifest
    trained: TrainReport
    history: History
    metrics: Metrics
    predictions: Mapping[Split, Predictions]
    samples: Sequence[tuple[Sample, str]]
    """With the heat map as a data URI."""
    versions: Mapping[str, str]


def card(contents: CardContents) -> str:
    metrics = contents.metrics
    loud = "Synthetic: learned from and scored on images drawn by a program. It says nothing about medicine."
    parts = [
        f"<h1>{escape(metrics.model)} of <code>{escape(metrics.run_key)}</code></h1>",
        f"<p>{metrics.created_at:%Y-%m-%d %H:%M} UTC. {LIMITS[0]}</p>",
        f'<p class="loud">{loud}</p>' if metrics.synthetic else "",
        *(_split(split, scores, contents) for split, scores in metrics.splits.items()),
        _cross_validation(metrics),
        "<h2>How it learned</h2>",
        f"<figure>{figures.learning_curves(contents.history)}</figure>",
        _learned(contents),
        _trials(metrics.trials),
        f"<h2>What it cost</h2><p>{cost_in_card()}</p>",
        "<h2>What it learned from</h2>",
        _dataset(contents.manifest),
        _samples(contents),
        "<h2>Limits</h2>",
        f"<ul>{''.join(f'<li>{escape(limit)}</li>' for limit in LIMITS)}</ul>",
        "<h2>Made again with</h2>",
        f"<pre>{escape(reproduce_command(contents.spec))}</pre>",
        _facts({f"{name} version": version for name, version in contents.versions.items()}),
    ]
    title = f"<title>Model card: {escape(metrics.run_key)}</title>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{VIEWPORT}{title}'
        f"<style>{STYLE}</style>{''.join(parts)}</html>\n"
    )


def reproduce_command(spec: RunSpec) -> str:
    """Airflow's trigger with the options that are not the defaults."""
    chosen: dict[str, object] = {}
    for part, default in RunOptions().model_dump(mode="json").items():
        given = spec.options.model_dump(mode="json")[part]
        chosen |= {name: value for name, value in given.items() if value != default[name]}
    return f"airflow dags trigger {spec.identity.dag_id} --conf '{json.dumps(chosen)}'\n# code {spec.code.code_id}"


def _split(split: Split, scores: SplitMetrics, contents: CardContents) -> str:
    classes, found = contents.metrics.classes, contents.predictions[split]
    drawn = {
        "ROC, each class against the rest": figures.roc(found, classes),
        "Confusion: rows are what it was": figures.confusion(scores, classes),
        "Reliability; area is the share of images": figures.reliability_curve(found),
    }
    return (
        f"<h2>Scores on the {split} split, {scores.images:,} images</h2>{_scores(scores)}{_classes(scores)}"
        + '<div class="row">'
        + "".join(f"<figure>{svg}<figcaption>{title}</figcaption></figure>" for title, svg in drawn.items())
        + f"</div>{_operating_points(scores)}{_subgroups(scores)}"
    )


def _cross_validation(metrics: Metrics) -> str:
    scores = metrics.cross_validation
    if scores is None:
        return ""
    head = f"<h2>Cross-validation on the train split, {scores.images:,} images</h2>"
    return f"{head}<p>Each image by the network that did not learn from it.</p>{_scores(scores)}{_classes(scores)}"


def _trials(trials: Sequence[Trial]) -> str:
    if not trials:
        return ""
    names = list(dict.fromkeys(name for trial in trials for name in trial.given))
    rows = [
        (str(trial.number), *(str(trial.given.get(name, "")) for name in names), trial.state, str(trial.epochs),
         _number(trial.mean_auc))
        for trial in sorted(trials, key=lambda each: -(each.mean_auc or 0.0))
    ]  # fmt: skip
    head = ("Trial", *(name.replace("_", " ") for name in names), "Ended", "Epochs", "Mean AUC")
    return f"<h3>Trials of the sweep, the best first</h3>{_table(head, rows)}"


def _samples(contents: CardContents) -> str:
    if not contents.samples:
        return ""
    shown = "".join(_sample(one, heat, contents.metrics.classes) for one, heat in contents.samples)
    return (
        "<h2>Samples of the validation split</h2>"
        "<p>Right and wrong. Warm: covering this part lowers the answer's probability.</p>"
        f'<div class="row">{shown}</div>'
    )


def _scores(scores: SplitMetrics) -> str:
    named = {
        "Accuracy": ("accuracy", scores.accuracy),
        "Balanced accuracy": ("balanced_accuracy", scores.balanced_accuracy),
        "Mean AUC": ("mean_auc", scores.mean_auc),
        "ISIC 2017 mean AUC (melanoma, seborrheic keratosis)": ("isic2017_mean_auc", scores.isic2017_mean_auc),
    }
    rows = [(title, _number(value), _interval(scores.intervals.get(key))) for title, (key, value) in named.items()]
    calibrated = scores.calibration
    if calibrated:
        rows += [
            ("Calibration error, before → after scaling", _arrow(calibrated.ece_before, calibrated.ece_after), ""),
            ("Brier score, before → after scaling", _arrow(calibrated.brier_before, calibrated.brier_after), ""),
        ]
    return _table(("Score", "Value", "95 % interval"), rows)


def _classes(scores: SplitMetrics) -> str:
    rows = [
        (
            name.replace("_", " "),
            f"{scores.images_per_class[name]:,}",
            _number(scores.auc[name]),
            _interval(scores.intervals.get(f"auc:{name}")),
            _number(scores.sensitivity.get(name)),
            _number(scores.specificity.get(name)),
        )
        for name in scores.auc
    ]
    return _table(("Class", "Images", "AUC", "95 % interval", "Sensitivity", "Specificity"), rows)


def _operating_points(scores: SplitMetrics) -> str:
    rows = [
        (
            name.replace("_", " "),
            f"{p.wanted_sensitivity:.2f}",
            *map(_number, (p.threshold, p.sensitivity, p.specificity)),
        )
        for name, points in scores.operating_points.items()
        for p in points
    ]
    head = ("Class", "Sensitivity wanted", "Threshold", "Sensitivity", "Specificity")
    return f"<h3>At thresholds fixed on the validation split</h3>{_table(head, rows)}" if rows else ""


def _subgroups(scores: SplitMetrics) -> str:
    rows = [
        (name, f"{group.images:,}", _number(group.accuracy), *(_number(group.auc.get(label)) for label in scores.auc))
        for name, group in scores.subgroups.items()
    ]
    head = ("Subgroup", "Images", "Accuracy", *(f"AUC {label.replace('_', ' ')}" for label in scores.auc))
    return f"<h3>By age and sex</h3>{_table(head, rows)}" if rows else ""


def _learned(contents: CardContents) -> str:
    trained = contents.trained
    cluster = contents.spec.options.cluster
    recipe = contents.spec.options.train.model_dump(mode="json") | trained.given
    facts = {
        "Parameters": f"{trained.parameters:,}",
        "Workers": str(trained.workers),
        "Epochs": f"{trained.epochs}, weights of epoch {contents.history.best_epoch}",
        "Time": f"{trained.seconds:,.0f} s, {trained.images_per_second:,.0f} images/s",
        "Cluster": f"{cluster.core_count} × {cluster.core_type}",
    }
    if offsets := contents.metrics.decision_offsets:
        named = zip(contents.metrics.classes, offsets, strict=True)
        facts["Favoured in naming a class"] = ", ".join(
            f"{name.replace('_', ' ')} × {exp(by):.2f}" for name, by in named
        )
    return _facts(facts | {name.replace("_", " ").capitalize(): str(value) for name, value in recipe.items()})


def _dataset(manifest: DatasetManifest) -> str:
    rows = [
        (split, *(f"{counts.get(label, 0):,}" for label in manifest.classes), f"{sum(counts.values()):,}")
        for split, counts in manifest.counts.items()
    ]
    facts = {
        "Dataset": manifest.dataset_id,
        "Fingerprint": manifest.fingerprint,
        "Split": "official" if manifest.official_split else "by content",
        "Image size": f"{manifest.image_size} px",
        "Quarantined": f"{manifest.quarantined:,}",
        "Duplicates left out": f"{manifest.duplicates:,}",
    }
    return _table(("Split", *(label.replace("_", " ") for label in manifest.classes), "All"), rows) + _facts(facts)


def _sample(sample: Sample, heat: str, classes: Sequence[str]) -> str:
    verdict = "right" if sample.predicted == sample.label else f"wrong, it is {classes[sample.label]}"
    says = f"{classes[sample.predicted]} {sample.probabilities[sample.predicted]:.2f}: {verdict}".replace("_", " ")
    alt = escape(f"{sample.image_id}, {says}")
    images = f'<img alt="{alt}" src="{figures.png(sample.pixels)}"><img alt="heat map of {alt}" src="{heat}">'
    return f'<figure class="pair">{images}<figcaption>{escape(sample.image_id)}<br>{escape(says)}</figcaption></figure>'


def _facts(facts: Mapping[str, str]) -> str:
    return _table((), [(name, value) for name, value in facts.items()])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{top}{body}</table>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _arrow(before: float, after: float) -> str:
    return f"{before:.3f} → {after:.3f}"


def _interval(interval: Interval | None) -> str:
    return f"{interval.low:.3f} – {interval.high:.3f}" if interval else ""
