"""Counts API calls by operation: what a pipeline costs in requests."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from local_aws.emr.environment import NODE_ACCESS_KEY
from local_aws.emr.s3_access import OWN_ACCESS_KEY

_BUCKET_OPERATIONS = {"GET": "ListObjects", "PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
_OBJECT_OPERATIONS = {"GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "HEAD": "HeadObject"}
_MULTIPART_OPERATIONS = {
    "GET": "ListParts",
    "PUT": "UploadPart",
    "DELETE": "AbortMultipartUpload",
    "POST": "CompleteMultipartUpload",
}


class CallCounter:
    """Thread-safe. The stand-in's own calls (fetching scripts, writing logs) are left out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_origin: dict[str, Counter[str]] = {"calls": Counter(), "from_nodes": Counter()}

    def count(self, operation: str, authorization: str) -> None:
        if OWN_ACCESS_KEY in authorization:
            return
        origin = "from_nodes" if NODE_ACCESS_KEY in authorization else "calls"
        with self._lock:
            self._by_origin[origin][operation] += 1

    def snapshot(self) -> dict[str, dict[str, int]]:
        with self._lock:
            return {origin: dict(sorted(counter.items())) for origin, counter in self._by_origin.items()}


def operation_name(environ: Mapping[str, Any], form: bytes) -> str:
    """Such as `ElasticMapReduce.RunJobFlow`, `iam.GetRole` or `s3.PutObject`."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target)
    scope = re.search(r"Credential=[^/,\s]+/\d{8}/[^/]+/([^/,\s]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = scope.group(1) if scope else "s3"
    if action := parse_qs(form.decode(errors="replace")).get("Action"):
        return f"{service}.{action[0]}"
    if service != "s3":
        return f"{service}.{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return f"s3.{_s3_operation(environ)}"


def _s3_operation(environ: Mapping[str, Any]) -> str:
    method: str = environ["REQUEST_METHOD"]
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if not bucket:
        return "ListBuckets"
    if not key:
        return _bucket_operation(method, query)
    if "uploadId" in query:
        return _MULTIPART_OPERATIONS.get(method, method)
    if "uploads" in query:
        return "CreateMultipartUpload"
    if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "CopyObject"
    return _with_subresource(_OBJECT_OPERATIONS.get(method, method), query)


def _bucket_operation(method: str, query: Mapping[str, list[str]]) -> str:
    if method == "GET" and query.get("list-type") == ["2"]:
        return "ListObjectsV2"
    if method == "POST" and "delete" in query:
        return "DeleteObjects"
    return _with_subresource(_BUCKET_OPERATIONS.get(method, method), query)


_SUBRESOURCES = (
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "location",
    "policy",
    "publicAccessBlock",
    "tagging",
    "uploads",
    "versioning",
    "versions",
)


def _with_subresource(operation: str, query: Mapping[str, list[str]]) -> str:
    asked = [name for name in _SUBRESOURCES if name in query]
    return f"{operation}?{asked[0]}" if asked else operation
