"""The drift report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from html import escape

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dermaflow_jobs.contract.score import Drift, ScoreManifest

STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:1.8rem 0 .5rem}
.wide{overflow-x:auto}table{border-collapse:collapse}
td,th{padding:.25rem .9rem .25rem 0;text-align:right;border-bottom:1px solid #8886;white-space:nowrap}
td:first-child,th:first-child{text-align:left}code{font-size:.85em;word-break:break-all}
.loud{background:#b3261e;color:#fff;padding:.6rem 1rem;border-radius:6px;font-weight:600}
.calm{background:#2e7d32;color:#fff;padding:.6rem 1rem;border-radius:6px}
figure{margin:0;background:#fff;border-radius:6px}svg{width:100%;height:auto}
"""
COLUMNS = 4
REFERENCE, NEW = "#9aa4b2", "#1f6feb"
DRIFTED = "#b3261e"


def page(manifest: ScoreManifest, threshold: float) -> str:
    drifted = [drift.name for drift in manifest.drift if drift.is_above(threshold)]
    verdict = (
        f'<p class="loud">Drift in {escape(", ".join(drifted))}: these images are not like those the model learned'
        " from. Its answers to them are worth less than its scores say.</p>"
        if drifted
        else '<p class="calm">No drift: these images look like those the model learned from.</p>'
    )
    drawn = '<p class="loud">The model learned from drawn images.</p>' if manifest.synthetic_model else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Scores of {escape(manifest.images_prefix)}</title><style>{STYLE}</style>"
        f"<h1>Scores of <code>{escape(manifest.images_prefix)}</code></h1>"
        f"<p>{manifest.created_at:%Y-%m-%d %H:%M} UTC, by the model of <code>{escape(manifest.run_key)}</code>."
        f" Not for clinical use.</p>{drawn}{verdict}"
        f"<h2>What was scored</h2>{_counts(manifest)}"
        f"<h2>Against the {manifest.reference_images:,} images of the validation split</h2>"
        f"<p>Drift is an index above {threshold:g} and above what chance makes of this many images.</p>"
        f'<div class="wide">{_indices(manifest.drift, threshold)}</div>'
        f"<figure>{_picture(manifest.drift, threshold)}</figure></html>\n"
    )


def _counts(manifest: ScoreManifest) -> str:
    rows = [
        ("objects found", f"{manifest.listed:,}"),
        ("images scored", f"{manifest.images:,}"),
        *((f"named {name.replace('_', ' ')}", f"{count:,}") for name, count in manifest.predicted.items()),
        *((f"failed: {reason}", f"{count:,}") for reason, count in manifest.failures.items()),
    ]
    return _table((), rows)


def _indices(drift: Iterable[Drift], threshold: float) -> str:
    rows = [
        (
            one.name,
            f"{one.reference_mean:.3f}",
            f"{one.mean:.3f}",
            f"{one.psi:.3f}",
            f"{one.noise:.3f}",
            "drift" if one.is_above(threshold) else "",
        )
        for one in drift
    ]
    return _table(("Statistic", "Mean then", "Mean now", "Stability index", "Chance", ""), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{top}{body}</table>"


def _picture(drift: Sequence[Drift], threshold: float) -> str:
    """For each statistic the shares of both in the reference's tenths."""
    height = -(-len(drift) // COLUMNS)
    with mpl.rc_context({"font.size": 8, "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 2.1 * height), layout="constrained")
        grid = figure.subplots(height, COLUMNS, squeeze=False).flat
        for axes, one in zip(grid, drift, strict=False):
            bins = np.arange(len(one.shares))
            axes.bar(bins - 0.2, one.reference_shares, 0.4, color=REFERENCE, label="validation split")
            axes.bar(bins + 0.2, one.shares, 0.4, color=NEW, label="these images")
            axes.set_title(one.name, color=DRIFTED if one.is_above(threshold) else "black")
            axes.set_xticks(bins[:-1] + 0.5, [f"{edge:.2g}" for edge in one.edges], rotation=90, fontsize=6)
        for axes in list(figure.axes)[len(drift) :]:
            axes.remove()
        figure.axes[0].legend(frameon=False, fontsize=7)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]
