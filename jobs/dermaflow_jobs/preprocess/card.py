"""The dataset card: `dataset.json` for people, as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

from dermaflow_jobs.contract.dataset import SPLITS, DatasetManifest
from dermaflow_jobs.preprocess.assembly import Assembly, Kept
from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, decode
from dermaflow_jobs.preprocess.fetch import read_listed
from dermaflow_jobs.preprocess.reasons import Reason
from dermaflow_jobs.runtime.s3 import Store

SAMPLES = 8
MOST_PAIRS = 20
THUMB = DecodeOptions(size=120, max_pixels=10**9)

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:1.8rem 0 .5rem}
table{border-collapse:collapse}td,th{padding:.25rem .9rem .25rem 0;text-align:right;border-bottom:1px solid #e3e7ee}
td:first-child,th:first-child{text-align:left}code{font-size:.85em;word-break:break-all}
.loud{background:#b3261e;color:#fff;padding:.6rem 1rem;border-radius:6px;font-weight:600}
.strip{display:flex;gap:6px;flex-wrap:wrap}.strip img{border-radius:4px;width:120px;height:120px}
@media(max-width:700px){table{display:block;overflow-x:auto}}
:root{color-scheme:light dark}@media(prefers-color-scheme:dark){body{background:#12161d;color:#e8ecf2}
td,th{border-color:#323b4a}}
"""
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def write_card(store: Store, manifest: DatasetManifest, assembly: Assembly) -> None:
    """Fetches a few originals for the thumbnails."""
    samples = {label: [_thumbnail(store, one) for one in _first(assembly.kept, label)] for label in manifest.classes}
    pictures = {label: [one for one in found if one] for label, found in samples.items()}
    page = card(manifest, pictures, assembly)
    store.put_bytes(
        store.layout.dataset_card(manifest.dataset_id), page.encode(), content_type="text/html; charset=utf-8"
    )


def card(manifest: DatasetManifest, pictures: dict[str, list[str]], assembly: Assembly) -> str:
    """The page. `pictures`: class → data URIs."""
    drawn = '<p class="loud">Synthetic: these images were drawn by a program. They show nothing about medicine.</p>'
    strips = "".join(
        f'<h2>{_name(label)}</h2><div class="strip">'
        + "".join(f'<img alt="{_name(label)}, a sample" src="{uri}">' for uri in found)
        + "</div>"
        for label, found in pictures.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{VIEWPORT}'
        f"<title>Dataset {manifest.dataset_id[:12]}</title>"
        f"<style>{STYLE}</style><h1>Dataset <code>{manifest.dataset_id}</code></h1>"
        f"<p>Made {manifest.created_at:%Y-%m-%d %H:%M} UTC</p>{drawn if manifest.synthetic else ''}"
        f"<h2>Images</h2>{_counts(manifest)}<h2>Facts</h2>{_facts(manifest, assembly.kept)}"
        f"{_straddling(assembly)}<h2>Quarantine</h2>{_quarantine(manifest)}{strips}</html>\n"
    )


def _counts(manifest: DatasetManifest) -> str:
    rows = [
        [_name(label), *(f"{manifest.counts[split].get(label, 0):,}" for split in SPLITS)] for label in manifest.classes
    ]
    total = ["all", *(f"{manifest.images(split):,}" for split in SPLITS)]
    return _table(["class", *SPLITS], [*rows, total])


def _facts(manifest: DatasetManifest, kept: Sequence[Kept]) -> str:
    sizes = [one.image.size for one in kept]
    shapes = sorted({(one.entry.width * one.entry.height, one.entry.width, one.entry.height) for one in kept})
    (_, *least), (_, *most) = shapes[0], shapes[-1]
    split = "official, from the folders" if manifest.official_split else "by content: a hash of each file and the salt"
    facts = {
        "size": f"{manifest.image_size} × {manifest.image_size} px, {manifest.encoding}, sRGB, squashed to the square",
        "split": split,
        "objects listed": f"{manifest.listed:,}",
        "exact duplicates left out": f"{manifest.duplicates:,}",
        "near-duplicate pairs, each in one split": f"{manifest.near_duplicate_pairs - manifest.straddling_pairs:,}",
        "pairs that straddle the official split": f"{manifest.straddling_pairs:,}",
        "lesions and patients that straddle it": f"{manifest.straddling_groups:,}",
        "known of patients": ", ".join(manifest.metadata) or "nothing",
        "originals": f"{sum(sizes) / 1e6:,.1f} MB, {min(sizes):,} to {max(sizes):,} bytes, "
        f"{least[0]} × {least[1]} to {most[0]} × {most[1]} px in {len(shapes):,} shapes",
        "shards": f"{len(manifest.shards)}, {sum(shard.bytes for shard in manifest.shards) / 1e6:,.1f} MB",
        "balance": "as found; a shard holds one class, so training draws classes evenly",
        "fingerprint": f"<code>{manifest.fingerprint}</code>",
    }
    return _table(["", ""], [[name, value] for name, value in facts.items()])


def _straddling(assembly: Assembly) -> str:
    """The pairs that an official split puts on two sides, the most alike first."""
    pairs = sorted((pair for pair in assembly.pairs if pair.straddles), key=lambda pair: -pair.correlation)
    if not pairs:
        return ""
    rows = [
        [
            f"<code>{escape(pair.key_a)}</code>",
            f"<code>{escape(pair.key_b)}</code>",
            f"{pair.split_a}, {pair.split_b}",
            f"{pair.correlation:.3f}",
        ]
        for pair in pairs[:MOST_PAIRS]
    ]
    more = f"<p>and {len(pairs) - MOST_PAIRS:,} more in near_duplicates.csv</p>" if len(pairs) > MOST_PAIRS else ""
    table = _table(["one image", "another of the same photograph", "splits", "correlation"], rows)
    return f"<h2>Leaks of the official split</h2>{table}{more}"


def _quarantine(manifest: DatasetManifest) -> str:
    if not manifest.quarantined:
        return "<p>Empty: every object is in the dataset.</p>"
    rows = [[escape(reason), f"{count:,}"] for reason, count in manifest.quarantine_reasons.items()]
    return _table(["reason", "objects"], [*rows, ["all", f"{manifest.quarantined:,}"]])


def _table(header: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _name(label: str) -> str:
    return escape(label.replace("_", " "))


def _first(kept: Iterable[Kept], label: str) -> Iterable[Kept]:
    return islice((one for one in kept if one.image.label == label and one.split == "train"), SAMPLES)


def _thumbnail(store: Store, one: Kept) -> str | None:
    data = read_listed(store, one.image.key, one.image.etag)
    decoded = None if isinstance(data, Reason) else decode(data, THUMB)
    if not isinstance(decoded, Decoded):
        return None
    out = io.BytesIO()
    decoded.image.save(out, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
