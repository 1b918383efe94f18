"""Charts as SVG that stands in the page: Vega-Lite drawn on the server, with links and ARIA labels and no script.

Colours are the page's own CSS variables, so light and dark are one picture. Numbers are also in tables beside them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from markupsafe import Markup

from dermaflow.pages.ledger_table import Row
from dermaflow_jobs.contract.metrics import History, SplitMetrics

log = logging.getLogger(__name__)
Spec = dict[str, Any]
WIDE, NARROW = 920, 290
"""Pixels of the plot itself: for a desk and for a phone; the page shows one of the two."""
ORIGIN: Final = "https://page.invalid"
"""Vega gives a link without a host one of its own; this one is taken away again."""
FIRST, SECOND = "var(--first)", "var(--second)"
CONFIG: Final[Spec] = {
    "font": "system-ui, sans-serif",
    "background": None,
    "view": {"stroke": None},
    "padding": {"left": 22, "right": 14, "top": 5, "bottom": 5},
    "axis": {
        "labelColor": "currentColor", "titleColor": "currentColor", "domainColor": "currentColor",
        "tickColor": "currentColor", "gridColor": "var(--line)", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "labelOverlap": True,
    },
    "line": {"strokeWidth": 2},
    "rule": {"strokeWidth": 1.5},
    "point": {"filled": True, "size": 70, "opacity": 1},
}  # fmt: skip


def both_widths(build: Callable[[int], Spec]) -> Markup:
    """The chart twice; CSS shows the one that fits. One that cannot be drawn is left out, with a word in the log."""
    try:
        wide, narrow = (draw(json.dumps(build(width) | {"config": CONFIG})) for width in (WIDE, NARROW))
    except ValueError:
        log.exception("a chart could not be drawn")
        return Markup()
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(Markup(wide), Markup(narrow))  # noqa: S704 - Vega escapes what it is given


@lru_cache(maxsize=64)
def draw(spec: str) -> str:
    """Raises ValueError. The first call of a process loads the renderer: two seconds, 80 MB."""
    import vl_convert

    svg = str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    return svg.replace(f'xlink:href="{ORIGIN}/', 'href="/')


def over_time(rows: Sequence[Row], link: Callable[[Row], str], *, width: int) -> Spec:
    """Mean AUC with its 95 % interval, images trained on, and cost, over the date that each run stands for."""
    values = [_dot(row, link(row)) for row in rows]
    domain = _padded([row.at for row in rows])
    form = "%Y-%m" if rows[-1].at - rows[0].at > timedelta(days=400) else "%-d %b"
    axis = {"format": form, "tickCount": width // 90}
    x = {"field": "at", "type": "temporal", "title": None, "axis": axis, "scale": {"type": "utc", "domain": domain}}
    panels = [_auc_panel(values, x), _panel("n", "Images trained on", FIRST, x, mark="line", height=90)]
    if any(row.cost_usd is not None for row in rows):
        panels.append(_panel("cost", "Cost, USD", FIRST, x, mark="rule", height=70))
    return {
        "data": {"values": values},
        "vconcat": [{"width": width, **panel} for panel in panels],
        "spacing": 14,
        "resolve": {"scale": {"x": "shared"}},
    }


def _dot(row: Row, url: str) -> Spec:
    auc = "no AUC" if row.mean_auc is None else f"mean AUC {row.mean_auc:.3f}"
    return {
        "at": row.at.isoformat(),
        "auc": row.mean_auc,
        "low": row.mean_auc_low,
        "high": row.mean_auc_high,
        "n": row.train_images,
        "cost": row.cost_usd,
        "kind": "champion when it ended" if row.promoted else "run",
        "url": f"{ORIGIN}{url}",
        "says": f"{row.run_key}: {auc}, trained on {row.train_images:,} images",
    }


def _auc_panel(values: Sequence[Spec], x: Spec) -> Spec:
    lows = [v["low"] if v["low"] is not None else v["auc"] for v in values if v["auc"] is not None]
    scale = {"domain": [min([0.5, *lows]), 1]}
    y = {"field": "auc", "type": "quantitative", "title": "Mean AUC", "scale": scale, "axis": {"format": ".2f"}}
    colour = {"field": "kind", "legend": None,
              "scale": {"domain": ["run", "champion when it ended"], "range": [FIRST, SECOND]}}  # fmt: skip
    interval = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
    points = {"y": y, "color": colour, "href": {"field": "url"}, "description": {"field": "says"}}
    return {
        "height": 200,
        "encoding": {"x": {**x, "axis": {**x["axis"], "labels": False, "ticks": False}}},
        "layer": [
            {"mark": {"type": "line", "color": FIRST, "opacity": 0.35}, "encoding": {"y": y}},
            {"mark": {"type": "rule", "color": "currentColor", "opacity": 0.6}, "encoding": interval},
            {"mark": "point", "encoding": points},
        ],
    }


def _panel(field: str, title: str, colour: str, x: Spec, *, mark: str, height: int) -> Spec:
    y = {"field": field, "type": "quantitative", "title": title, "axis": {"tickCount": 3}}
    if mark == "line":
        dots = {"mark": {"type": "point", "color": colour, "size": 30}, "encoding": {"y": y}}
        layers = [{"mark": {"type": "line", "color": colour}, "encoding": {"y": y}}, dots]
    else:
        bar = {"type": "rule", "color": colour, "strokeWidth": 8}
        layers = [{"mark": bar, "encoding": {"y": {**y, "scale": {"zero": True}}, "y2": {"datum": 0}}}]
    return {"height": height, "encoding": {"x": x}, "layer": layers}


def learning(histories: Mapping[str, History], *, width: int) -> Spec:
    """Mean AUC and loss on the validation split, epoch by epoch; up to two runs."""
    values = [
        {"epoch": one.epoch, "auc": one.mean_auc, "loss": one.valid_loss, "run": name}
        for name, history in histories.items()
        for one in history.epochs
    ]
    colour = {"field": "run", "legend": None, "scale": {"domain": list(histories), "range": [FIRST, SECOND]}}
    x = {"field": "epoch", "type": "quantitative", "title": "Epoch", "axis": {"tickMinStep": 1, "format": "d"}}

    def panel(field: str, title: str) -> Spec:
        y = {"field": field, "type": "quantitative", "title": title, "scale": {"zero": False}}
        return {"mark": {"type": "line", "point": {"size": 25}}, "encoding": {"x": x, "y": y, "color": colour}}

    panels = [panel("auc", "Mean AUC, validation"), panel("loss", "Loss, validation")]
    size = {"width": (width - 70) // 2, "height": 170} if width == WIDE else {"width": width, "height": 140}
    way = "hconcat" if width == WIDE else "vconcat"
    return {"data": {"values": values}, way: [{**size, **one} for one in panels]}


def scores(sides: Mapping[str, SplitMetrics], *, width: int) -> Spec:
    """Each score with its interval, the runs below each other."""
    values = [
        {"score": title, "run": name, "value": value, "low": low, "high": high,
         "says": f"{title} of {name}: {value:.3f}"}
        for name, split in sides.items()
        for title, value, low, high in _with_intervals(split)
    ]  # fmt: skip
    runs = list(sides)
    y = {"field": "score", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 220}}
    offset = {"field": "run", "scale": {"domain": runs, "paddingOuter": 0.6}}
    colour = {"field": "run", "legend": None, "scale": {"domain": runs, "range": [FIRST, SECOND]}}
    x = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False, "nice": True, "padding": 8},
        "axis": {"tickCount": width // 110},
    }
    return {
        "width": width - 110 if width == WIDE else width - 90,
        "height": {"step": 12},
        "data": {"values": values},
        "encoding": {"y": y, "yOffset": offset, "color": colour},
        "layer": [
            {
                "mark": {"type": "rule", "opacity": 0.7},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {"mark": "point", "encoding": {"x": x, "description": {"field": "says"}}},
        ],
    }


def _with_intervals(split: SplitMetrics) -> list[tuple[str, float, float | None, float | None]]:
    named: dict[str, tuple[str, float | None]] = {
        "mean_auc": ("mean AUC", split.mean_auc),
        **{f"auc:{label}": (f"AUC {label.replace('_', ' ')}", auc) for label, auc in split.auc.items()},
        "balanced_accuracy": ("balanced accuracy", split.balanced_accuracy),
        "accuracy": ("accuracy", split.accuracy),
    }
    rows = []
    for key, (title, value) in named.items():
        interval = split.intervals.get(key)
        if value is not None:
            rows.append((title, value, interval.low if interval else None, interval.high if interval else None))
    return rows


def _padded(times: Sequence[datetime]) -> list[str]:
    """So that the first and the last dot do not sit on the edge, and a single one has a scale."""
    first, last = min(times), max(times)
    room = max((last - first) * 0.04, timedelta(hours=12))
    return [(first - room).isoformat(), (last + room).isoformat()]
