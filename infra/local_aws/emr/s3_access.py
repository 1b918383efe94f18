"""The stand-in's own way to its S3: over its own port, like everybody's."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

OWN_ACCESS_KEY = "ASIALOCALAWSSELF0000"
"""Calls of the stand-in itself are not counted."""


@cache
def s3_client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=OWN_ACCESS_KEY,
        aws_secret_access_key="self",  # noqa: S106 - moto checks no signatures
        config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
    )


def bucket_and_key(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")
