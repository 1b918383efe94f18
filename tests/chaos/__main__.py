"""`python -m chaos [--only TEXT]`: prints a row a fault, writes `build/chaos.json`, exits with 0 if every row holds."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from chaos.faults import Fault, catalogue
from chaos.observe import Row, observe
from chaos.scene import fired, scene
from local_stack import airflow
from local_stack.config import REPO, load_config
from local_stack.images import JOBS_PYTHON

BUILD = REPO / "build" / "chaos"
COLUMNS = ("clusters", "doubled", "alive", "steps", "records")
log = logging.getLogger("chaos")


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument("--out", type=Path, default=REPO / "build" / "chaos.json")
    args = parser.parse_args()
    faults = [fault for fault in catalogue() if args.only in fault.name]
    console = Console(width=150)
    BUILD.mkdir(parents=True, exist_ok=True)
    template, folder = _template(), _images()
    console.print(f"{'fault':52} " + " ".join(f"{c:>8}" for c in COLUMNS) + f" {'ended':16} {'seconds':>7}  holds")
    rows = []
    for fault in faults:
        row = strike(fault, template=template, folder=folder)
        rows.append(row)
        figures = " ".join(f"{getattr(row, column):>8}" for column in COLUMNS)
        verdict = "yes" if row.holds else "NO" + ("" if row.fired else " (never fired)")
        console.print(f"{row.fault:52} {figures} {row.ended:16} {row.seconds:>7.1f}  {verdict}", highlight=False)
        args.out.write_text(json.dumps(summary(rows), indent=1) + "\n")
    return 0 if rows and all(row.holds for row in rows) else 1


def strike(fault: Fault, *, template: Path, folder: Path) -> Row:
    """One fault on one clean stack."""
    with scene(BUILD / "stack", template, folder, runs=fault.runs, rules=list(fault.rules)) as stage:
        began = time.monotonic()
        stage.trigger(fault.conf)
        acted = True
        if fault.act:
            try:
                fault.act(stage)
            except Exception:
                log.exception("%s: the act failed", fault.name)
                acted = False
        states = stage.wait_for_end(seconds=420 * fault.runs)
        return observe(
            stage,
            name=fault.name,
            fired=acted and (not fault.rules or fired(stage.config) > 0),
            states=states,
            seconds=time.monotonic() - began,
            must_succeed=fault.must_succeed,
        )


def summary(rows: list[Row]) -> dict[str, object]:
    return {
        "faults": len(rows),
        "hold": sum(row.holds for row in rows),
        "doubled": sum(row.doubled for row in rows),
        "leaked": sum(row.alive for row in rows),
        "ledger_lost": sum(row.ledger_lost for row in rows),
        "ledger_duplicated": sum(row.ledger_duplicated for row in rows),
        "unfinished": sum(row.unfinished for row in rows),
        "rows": [asdict(row) | {"holds": row.holds} for row in rows],
    }


def _template() -> Path:
    """An Airflow home with a migrated database, made once: it is not what is tested, and takes 10 s."""
    home = BUILD / "template"
    if not (home / "airflow").exists():
        airflow.prepare(load_config(home))
    return home / "airflow"


def _images() -> Path:
    folder = BUILD / "images"
    if not folder.exists():
        command = [str(JOBS_PYTHON), "-m", "dermaflow_jobs.synthetic", "--out", str(folder), "--seed", "7"]
        subprocess.run([*command, "--per-class", "16"], check=True, capture_output=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
