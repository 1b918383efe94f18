"""Are the weights that a network starts from where the run says?"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.checks.problem import Problem, excuse
from dermaflow_jobs.contract.options import RunOptions


def check_weights(client: Any, options: RunOptions) -> list[Problem]:
    """Whether they fit the network, only the training itself can tell."""
    uri = options.train.backbone_weights
    if not uri:
        return []
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        client.head_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        excuse(error, uri)
        remedy = f"upload the network's weights there, or allow s3:GetObject on {uri}"
        return [Problem("backbone_weights", f"{uri} cannot be read: {error}", remedy)]
    return []
