"""Looks at everything that can be known to be wrong before a cluster is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Context
from pydantic import ValidationError

from dermaflow import run, settings
from dermaflow.checks.account import check_account, check_identity
from dermaflow.checks.code import check_code
from dermaflow.checks.cost import check_cost
from dermaflow.checks.fit import check_fit
from dermaflow.checks.images import check_images
from dermaflow.checks.params import check_params
from dermaflow.checks.problem import Problem, table
from dermaflow.checks.storage import check_storage
from dermaflow.checks.weights import check_weights
from dermaflow.code_bundle import CodeBundle
from dermaflow.emr.estimate import estimate
from dermaflow.emr.fleets import suited
from dermaflow.emr.prices import offline
from dermaflow.errors import InputsRefused
from dermaflow.form import ROOT, resolved
from dermaflow.ledger import read_ledger
from dermaflow.operators.base import AwsOperator
from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout


class CheckInputsOperator(AwsOperator):
    """Gather every problem with params, bucket, images, account, code and cost; fail with a table of all of them.

    Returns the RunSpec of the run as a dict: the one value that all other tasks are given.

    .. code-block:: python

        from dermaflow.form import form_params

        with DAG("lesions", params=form_params()):
            check_inputs = CheckInputsOperator(task_id="check_inputs")

    :param form: flat params; default: the DAG run's.
    :param code_dir: folder with `jobs/` and `infra/emr/`; default: DERMAFLOW_CODE_DIR, else this repository.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "form", "code_dir")

    def __init__(self, *, form: Mapping[str, Any] | None = None, code_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.form = form
        self.code_dir = code_dir
        self._types: frozenset[str] = frozenset()
        self._images = 0
        self._prices = offline("")

    def execute(self, context: Context) -> dict[str, Any]:
        params = dict(self.form if self.form is not None else context["params"])
        root = str(params.get(ROOT, settings.storage_root()))
        options, problems = check_params(params)
        bundle, found = check_code(Path(self.code_dir) if self.code_dir else settings.code_dir())
        problems += found
        problems += self._check_aws(context, root, options)
        if problems or bundle is None:
            raise refused(problems)
        options = self.suited(options)
        spec = self._spec(context, root, bundle, options)
        self._tell_estimate(spec)
        self.log.info("%s", resolved(params, options))
        self.log.info("nothing wrong found; run spec:\n%s", spec.to_json())
        return spec.model_dump(mode="json")

    def _check_aws(self, context: Context, root: str, options: RunOptions) -> list[Problem]:
        problems = check_fit(options)
        if nobody := check_identity(self.emr, self.aws_conn_id):
            return problems + nobody
        cluster = options.cluster
        self._prices = self.price_list({cluster.primary_type, cluster.core_type, *cluster.fallback_types})
        problems += check_cost(options, self._prices)
        account = check_account(self.emr, self.aws_conn_id, cluster)
        self._types = account.types
        problems += account.problems
        try:
            layout = Layout.of(root)
        except ValueError as error:
            return [*problems, Problem("root", str(error), "give s3://bucket or s3://bucket/prefix")]
        storage = check_storage(self.s3_client, layout, str(self.emr.conn_region_name))
        problems += storage or self.check_data(context, layout, options)
        return problems + check_weights(self.s3_client, options)

    def check_data(self, context: Context, layout: Layout, options: RunOptions) -> list[Problem]:
        """What the run works on; asked only where the bucket can be read."""
        until = run.identity_of(context).data_until
        self._images, problems = check_images(self.s3_client, layout, options.data.classes, until)
        return problems

    def suited(self, options: RunOptions) -> RunOptions:
        """With what the look at account and images decides."""
        return suited(options, types=self._types, images=self._images)

    def _tell_estimate(self, spec: RunSpec) -> None:
        try:
            records = read_ledger(self.storage(spec.root))
        except ContractError as error:
            self.log.warning("earlier runs cannot tell how long it takes: %s", error)
            records = []
        prices = self._prices
        self.log.info("cost: %s (prices: %s)", estimate(spec.options, prices, records).text(), prices.text())

    def _spec(self, context: Context, root: str, bundle: CodeBundle, options: RunOptions) -> RunSpec:
        try:
            return run.run_spec(context, root=root, code=bundle.ref, options=options)
        except ValidationError as error:
            raise refused(
                [Problem("root", f"{root}: {error.errors()[0]['msg']}", "give s3://bucket[/prefix]")]
            ) from None


def refused(problems: Sequence[Problem]) -> InputsRefused:
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    return InputsRefused(
        attempted="checked",
        resource="everything that a cluster would need",
        reason=f"{count}; nothing was paid for\n\n{table(problems)}\n",
        remedy="see the table's last column, then start the run again",
    )
