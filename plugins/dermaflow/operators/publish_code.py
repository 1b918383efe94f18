"""Puts the job code and the run spec where the cluster finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Context

from dermaflow import settings
from dermaflow.code_bundle import SUMS, build_bundle
from dermaflow.errors import CodeBundleInvalid
from dermaflow.operators.base import AwsOperator, ValueArg
from dermaflow_jobs.contract.run_spec import RunSpec


class PublishCodeOperator(AwsOperator):
    """Upload the code bundle once for each content, and the run's `run.json`; return the bundle's `s3://` URI.

    .. code-block:: python

        publish_code = PublishCodeOperator(task_id="publish_code", run_spec=check_inputs.output)

    :param run_spec: a contract RunSpec as a dict.
    :param code_dir: folder with `jobs/` and `infra/emr/`; default: DERMAFLOW_CODE_DIR, else this repository.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "run_spec", "code_dir")

    def __init__(self, *, run_spec: ValueArg, code_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec
        self.code_dir = code_dir

    def execute(self, context: Context) -> str:
        spec = RunSpec.parse(self.run_spec)
        storage = self.storage(spec.root)
        prefix = storage.layout.code_prefix(spec.code.code_id)
        if storage.exists(f"{prefix}{SUMS}"):
            self.log.info("this code is published already: %s", storage.layout.uri(prefix))
        else:
            self._upload(spec)
        storage.write_value(storage.layout.run_spec(spec.identity.run_key), spec)
        return storage.layout.uri(prefix)

    def _upload(self, spec: RunSpec) -> None:
        bundle = build_bundle(Path(self.code_dir) if self.code_dir else settings.code_dir())
        if bundle.ref != spec.code:
            raise CodeBundleInvalid(
                attempted="tried to publish",
                resource=f"code {spec.code.code_id[:16]}",
                reason=f"the job code has changed since check_inputs; it is {bundle.ref.code_id[:16]} now",
                remedy="clear check_inputs and everything after it",
            )
        storage = self.storage(spec.root)
        prefix = storage.layout.code_prefix(spec.code.code_id)
        for name, body in [*sorted(bundle.files.items()), (SUMS, bundle.sums)]:
            storage.write(f"{prefix}{name}", body)
        size = sum(map(len, bundle.files.values()))
        self.log.info("published %d files, %.1f KB, to %s", len(bundle.files), size / 1e3, storage.layout.uri(prefix))
