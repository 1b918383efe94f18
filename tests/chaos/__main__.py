"""`python -m chaos`: prints a row a fault, writes `build/chaos.json`, exits with 0 if every row holds."""

from __future__ import annotations

import argparse
import json
import logging
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue

from rich.console import Console

from chaos.faults import Fault, catalogue
from chaos.light_code import light_code
from chaos.nursery import Nursery
from chaos.observe import Row, observe
from chaos.scene import Props, Scene, scene
from local_stack import airflow, aws
from local_stack.config import REPO, load_config
from local_stack.images import JOBS_PYTHON

BUILD = REPO / "build" / "chaos"
COLUMNS = ("clusters", "doubled", "alive", "steps", "records")
log = logging.getLogger("chaos")


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--only", default="", help="a regular expression: faults in whose name it is found")
    parser.add_argument("--again", action="store_true", help="keep the rows that hold in --out, run the others")
    parser.add_argument("--list", action="store_true", help="print the faults' names and end")
    parser.add_argument("--out", type=Path, default=REPO / "build" / "chaos.json")
    parser.add_argument("--stacks", type=int, default=2, help="stacks side by side")
    parser.add_argument("--real-jobs", action="store_true", help="train for real in every fault: three times slower")
    args = parser.parse_args()
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit("ended by a signal"))
    faults = [fault for fault in catalogue() if re.search(args.only, fault.name)]
    console = Console(width=150)
    if args.list:
        console.print(*(fault.name for fault in faults), sep="\n", highlight=False)
        return 0
    names = {fault.name for fault in catalogue()}
    rows = [row for row in read(args.out) if row.holds and row.fault in names] if args.again else []
    faults = [fault for fault in faults if fault.name not in {row.fault for row in rows}]
    BUILD.mkdir(parents=True, exist_ok=True)
    code = REPO if args.real_jobs else light_code(BUILD / "code")
    console.print(f"{'fault':58} " + " ".join(f"{c:>8}" for c in COLUMNS) + f" {'ended':16} {'seconds':>7}  holds")
    places: Queue[Path] = Queue()
    for number in range(args.stacks):
        places.put(BUILD / f"stack-{number}")
    with Nursery.open(aws.inherited()) as nursery, ThreadPoolExecutor(args.stacks) as pool:
        props = Props(_template(), _images(), nursery, code)
        try:
            for running in as_completed([pool.submit(strike, fault, places, props) for fault in faults]):
                rows.append(running.result())
                _print(console, rows[-1])
                args.out.write_text(json.dumps(summary(rows), indent=1) + "\n")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what runs is seen through, so that no process is left
            raise
    console.print({name: count for name, count in summary(rows).items() if name != "rows"})
    return 0 if rows and all(row.holds for row in rows) else 1


def strike(fault: Fault, places: Queue[Path], props: Props) -> Row:
    """One fault on one clean stack; on a second one if the harness itself failed on the first."""
    place = places.get()
    try:
        for _ in range(2):
            try:
                with scene(place, props, runs=fault.runs, rules=fault.rules) as stage:
                    return _strike(fault, stage)
            except Exception:
                log.exception("%s: the harness failed", fault.name)
        return Row.untold(fault.name)
    finally:
        places.put(place)


def _strike(fault: Fault, stage: Scene) -> Row:
    began = time.monotonic()
    stage.trigger(fault.conf)
    acted = True
    if fault.act:
        try:
            fault.act(stage)
        except Exception:
            log.exception("%s: the act failed", fault.name)
            acted = False
    states = stage.wait_for_end(seconds=900 * fault.runs)
    seconds = time.monotonic() - began
    return observe(stage, fault, fired=acted and stage.struck(), states=states, seconds=seconds)


def summary(rows: list[Row]) -> dict[str, object]:
    return {
        "faults": len(rows),
        "hold": sum(row.holds for row in rows),
        "doubled": sum(row.doubled for row in rows),
        "leaked": sum(row.alive for row in rows),
        "ledger_lost": sum(row.ledger_lost for row in rows),
        "ledger_duplicated": sum(row.ledger_duplicated for row in rows),
        "unfinished": sum(row.unfinished for row in rows),
        "rows": [row.as_dict() for row in rows],
    }


def read(path: Path) -> list[Row]:
    """Of an earlier run."""
    return [Row.of(row) for row in json.loads(path.read_text())["rows"]] if path.exists() else []


def _print(console: Console, row: Row) -> None:
    figures = " ".join(f"{getattr(row, column):>8}" for column in COLUMNS)
    verdict = "yes" if row.holds else "NO" + ("" if row.fired else " (never fired)")
    console.print(f"{row.fault:58} {figures} {row.ended:16} {row.seconds:>7.1f}  {verdict}", highlight=False)


def _template() -> Path:
    """An Airflow home with a migrated database, made once: it is not what is tested, and takes 10 s."""
    home = BUILD / "template"
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
