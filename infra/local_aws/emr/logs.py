"""Log files below LogUri, gzipped, where EMR puts them."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.emr.s3_access import bucket_and_key, s3_client

log = logging.getLogger(__name__)


class ClusterLogs:
    """Does nothing where the cluster has no LogUri. An upload that fails is reported, never raised: as on EMR."""

    def __init__(self, log_uri: str | None, cluster_id: str, endpoint: str) -> None:
        self._root = (
            f"s3://{urlsplit(log_uri).netloc}{urlsplit(log_uri).path.rstrip('/')}/{cluster_id}" if log_uri else None
        )
        self._endpoint = endpoint

    def step_folder(self, step_id: str) -> str | None:
        return f"{self._root}/steps/{step_id}/" if self._root else None

    def bootstrap_folder(self, instance_id: str, number: int) -> str | None:
        return f"{self._root}/node/{instance_id}/bootstrap-actions/{number}/" if self._root else None

    def container_folder(self, application: str, executor: str) -> str | None:
        return f"{self._root}/containers/{application}/container_{executor}/" if self._root else None

    def upload(self, folder: str | None, files: list[Path]) -> None:
        if folder is None:
            return
        client = s3_client(self._endpoint)
        for path in files:
            bucket, key = bucket_and_key(f"{folder}{path.name}.gz")
            try:
                client.put_object(Bucket=bucket, Key=key, Body=gzip.compress(path.read_bytes(), 5))
            except (ClientError, BotoCoreError, OSError) as error:
                log.error("log %s not uploaded to s3://%s/%s: %s", path, bucket, key, error)
