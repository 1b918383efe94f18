"""Every S3 key there is, built in one place.

Methods give keys within the bucket (`Layout.bucket`); `Layout.uri` turns one into `s3://…`. A name ending in
`_prefix` ends in a slash and holds many objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Layout:
    """Keys below one storage root."""

    bucket: str
    prefix: str
    """Empty, or ends in a slash."""

    @classmethod
    def of(cls, root: str) -> Self:
        """From `s3://bucket[/prefix]`. Raises ValueError if it is not one."""
        parts = urlsplit(root)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"storage root {root!r}: expected s3://bucket or s3://bucket/prefix")
        prefix = parts.path.strip("/")
        return cls(parts.netloc, f"{prefix}/" if prefix else "")

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    # raw images
    def raw_prefix(self) -> str:
        return f"{self.prefix}raw/"

    def raw_labels(self) -> str:
        """Optional metadata, a row an image: image_id and any of lesion_id, patient_id, age, sex."""
        return f"{self.raw_prefix()}labels.csv"

    # code
    def code_prefix(self, code_id: str) -> str:
        return f"{self.prefix}code/{code_id}/"

    def environments_prefix(self) -> str:
        """Built environments of the nodes, written by the first cluster that needed each."""
        return f"{self.prefix}code/environments/"

    # datasets
    def dataset_prefix(self, dataset_id: str) -> str:
        return f"{self.prefix}datasets/{dataset_id}/"

    def dataset_manifest(self, dataset_id: str) -> str:
        """`dataset.json`, written last: a dataset without it does not exist."""
        return f"{self.dataset_prefix(dataset_id)}dataset.json"

    def dataset_shard(self, dataset_id: str, split: str, label: str, number: int) -> str:
        return f"{self.dataset_prefix(dataset_id)}{split}/{label}/shard-{number:05d}.tfrecord"

    def dataset_table(self, dataset_id: str, name: str) -> str:
        """CSV. `name` is one of: images (kept), quarantine (not kept, with reason), duplicates (an object whose
        pixels another one has too), near_duplicates (pairs of images that show the same photograph),
        straddling_groups (lesions and patients whose images an official split puts on more than one side)."""
        return f"{self.dataset_prefix(dataset_id)}{name}.csv"

    def dataset_card(self, dataset_id: str) -> str:
        """HTML page, self-contained: the manifest and sample thumbnails, to be read by people."""
        return f"{self.dataset_prefix(dataset_id)}card.html"

    # decoded images, kept by content and shared by datasets
    def decoded_prefix(self, decoder_id: str) -> str:
        """`decoder_id` names all that decides an image's pixels: code, options, libraries."""
        return f"{self.prefix}cache/decoded/{decoder_id}/"

    def decoded_pack(self, decoder_id: str, pack_id: str) -> str:
        return f"{self.decoded_prefix(decoder_id)}{pack_id}.pack"

    def decoded_index(self, decoder_id: str, pack_id: str) -> str:
        """What lies where in the pack. Written after it: a pack without an index does not exist."""
        return f"{self.decoded_prefix(decoder_id)}{pack_id}.index.jsonl"

    # runs
    def run_prefix(self, run_key: str) -> str:
        return f"{self.prefix}runs/{run_key}/"

    def run_spec(self, run_key: str) -> str:
        return f"{self.run_prefix(run_key)}run.json"

    def step_prefix(self, run_key: str, step: str) -> str:
        return f"{self.run_prefix(run_key)}steps/{step}/"

    def step_report(self, run_key: str, step: str) -> str:
        """What the step hands on, e.g. preprocess's dataset id. Written last by the step."""
        return f"{self.step_prefix(run_key, step)}report.json"

    def step_progress(self, run_key: str, step: str) -> str:
        return f"{self.step_prefix(run_key, step)}progress.json"

    def step_failure(self, run_key: str, step: str) -> str:
        return f"{self.step_prefix(run_key, step)}failure.json"

    # trials of a sweep
    def trials_prefix(self, run_key: str) -> str:
        return f"{self.run_prefix(run_key)}trials/"

    def trial_prefix(self, run_key: str, trial: int) -> str:
        return f"{self.trials_prefix(run_key)}{trial:03d}/"

    def trial_history(self, run_key: str, trial: int) -> str:
        """Overwritten after every epoch, for the other trials to compare themselves with."""
        return f"{self.trial_prefix(run_key, trial)}history.json"

    def trial_model(self, run_key: str, trial: int) -> str:
        return f"{self.trial_prefix(run_key, trial)}model.keras"

    def trial_report(self, run_key: str, trial: int) -> str:
        """Written last: a trial without it is not over."""
        return f"{self.trial_prefix(run_key, trial)}report.json"

    def checkpoints_prefix(self, run_key: str) -> str:
        return f"{self.run_prefix(run_key)}checkpoints/"

    def model(self, run_key: str) -> str:
        return f"{self.run_prefix(run_key)}model.keras"

    def history(self, run_key: str) -> str:
        """Loss and validation metrics, a row an epoch."""
        return f"{self.run_prefix(run_key)}history.json"

    def metrics(self, run_key: str) -> str:
        return f"{self.run_prefix(run_key)}metrics.json"

    def model_card(self, run_key: str) -> str:
        return f"{self.run_prefix(run_key)}model_card.html"

    def predictions(self, run_key: str, split: str) -> str:
        return f"{self.run_prefix(run_key)}predictions-{split}.csv"

    def champion_predictions(self, run_key: str, champion: str) -> str:
        """What the champion of this name says of the run's validation split, without what it was trained on."""
        return f"{self.run_prefix(run_key)}champion-{champion}-predictions-valid.csv"

    def run_cost(self, run_key: str) -> str:
        """Written when the clusters are gone, for a run that failed as well."""
        return f"{self.run_prefix(run_key)}cost.json"

    def score_reference(self, run_key: str) -> str:
        """How the run's validation split looks to its model: what new images are compared with. Made when first
        wanted."""
        return f"{self.run_prefix(run_key)}score-reference.json"

    # new images and their scores
    def new_images_prefix(self, folder: str) -> str:
        """`folder` as ScoreOptions.images has it."""
        return f"{self.prefix}{folder}"

    def score_prefix(self, score_id: str) -> str:
        return f"{self.prefix}scores/{score_id}/"

    def score_manifest(self, score_id: str) -> str:
        """`score.json`, written last: scores without it do not exist."""
        return f"{self.score_prefix(score_id)}score.json"

    def score_predictions(self, score_id: str) -> str:
        """Parquet, a row an image: key, etag, size, predicted, confidence, and a probability a class."""
        return f"{self.score_prefix(score_id)}predictions.parquet"

    def score_failures(self, score_id: str) -> str:
        """CSV, a row an object that gave no image: key, size, reason, detail."""
        return f"{self.score_prefix(score_id)}failures.csv"

    def score_drift(self, score_id: str) -> str:
        """HTML page, self-contained: the drift report, to be read by people; its figures are in score.json."""
        return f"{self.score_prefix(score_id)}drift.html"

    # ledger
    def ledger_runs_prefix(self) -> str:
        return f"{self.prefix}ledger/runs/"

    def ledger_run(self, run_key: str) -> str:
        return f"{self.ledger_runs_prefix()}{run_key}.json"

    def ledger_csv(self) -> str:
        return f"{self.prefix}ledger/ledger.csv"

    def ledger_text(self) -> str:
        """The 2021 project's file, name and line format kept."""
        return f"{self.prefix}ledger/skin-lesions-model-output.txt"

    # models
    def champion(self) -> str:
        """The pointer: overwritten by compare-and-swap alone."""
        return f"{self.prefix}models/champion.json"

    def champion_history_prefix(self) -> str:
        return f"{self.prefix}models/history/"

    def champion_history(self, number: int) -> str:
        """Every champion ever, as it was crowned; never overwritten."""
        return f"{self.champion_history_prefix()}{number:06d}.json"

    def kept_prefix(self, model_id: str) -> str:
        """Copies of a crowned model, its metrics, predictions and card; never overwritten."""
        return f"{self.prefix}models/kept/{model_id}/"

    # logs
    def logs_prefix(self) -> str:
        return f"{self.prefix}logs/"
