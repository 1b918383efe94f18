"""`spark-submit launch.py <step> --run-spec s3://…`: runs `dermaflow_jobs.<step>` from the folder this file lies in.

Nothing else comes onto the driver's path; executors get the same folder by `spark.executorEnv.PYTHONPATH`.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main(argv: list[str]) -> None:
    if not argv or not argv[0].isidentifier():
        raise SystemExit("usage: launch.py <step> --run-spec s3://…")
    folder = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    sys.argv[1:] = argv[1:]
    runpy.run_module(f"dermaflow_jobs.{argv[0]}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
