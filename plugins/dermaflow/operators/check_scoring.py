"""Looks at everything that can be known to be wrong with a scoring run before a cluster is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Context

from dermaflow import settings
from dermaflow.checks.code import check_code
from dermaflow.checks.new_images import check_champion, check_new_images
from dermaflow.checks.params import check_scoring_params
from dermaflow.checks.problem import Problem
from dermaflow.form import ROOT
from dermaflow.operators.check_inputs import CheckInputsOperator, refused
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.score import ScoreOptions, ScoreTask


class CheckScoringOperator(CheckInputsOperator):
    """As CheckInputsOperator, of a run that scores new images: is there a champion, and are there images for it?

    A champion that learned from drawn images is not let near real ones. Returns the RunSpec as a dict; the champion
    stands in it, so that a promotion meanwhile changes nothing.

    .. code-block:: python

        from dermaflow.form import scoring_params

        with DAG("scoring", params=scoring_params()):
            check_scoring = CheckScoringOperator(task_id="check_scoring")
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._asked = ScoreOptions()
        self._champion: Champion | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        params = dict(self.form if self.form is not None else context["params"])
        root = str(params.get(ROOT, settings.storage_root()))
        asked, problems = check_scoring_params(params)
        self._asked = asked.score
        bundle, found = check_code(Path(self.code_dir) if self.code_dir else settings.code_dir())
        options = RunOptions(cluster=asked.cluster)
        problems += found + self._check_aws(context, root, options)
        if problems or bundle is None or self._champion is None:
            raise refused(problems)
        spec = self._spec(context, root, bundle, self.suited(options))
        spec = spec.model_copy(update={"score": ScoreTask(options=asked.score, champion=self._champion)})
        self.log.info("nothing wrong found; run spec:\n%s", spec.to_json())
        return spec.model_dump(mode="json")

    def check_data(self, context: Context, layout: Layout, options: RunOptions) -> list[Problem]:
        storage = Storage(layout, self.s3_client)
        self._champion, problems = check_champion(storage)
        return problems + check_new_images(storage, self._asked.images, self._champion)
