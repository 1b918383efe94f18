"""What both planes agree on: run spec, S3 layout, dataset manifest, metrics, progress, failure report, ledger.

Imports nothing but pydantic and the standard library, so Airflow can load it without Spark or TensorFlow.
"""

from typing import Final

CONTRACT_VERSION: Final = 1
