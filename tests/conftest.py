"""An Airflow home of the tests' own.

Airflow reads its configuration when it is first imported, by whichever folder of tests that is, and before any fixture.
The tests of the jobs import no Airflow and are not touched by it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_TESTS = Path(__file__).resolve().parent
os.environ |= {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="dermaflow-airflow-"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(_TESTS / "control" / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(_TESTS.parent / "plugins"),
}
