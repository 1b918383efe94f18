"""What an S3 request changes, read off its method, path and, for DeleteObjects, body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import unescape

_MUTATING = frozenset({"PUT", "POST", "DELETE"})


@dataclass(frozen=True)
class Change:
    """A bucket (its configuration too where `keys` is empty) and the keys in it that a request may have changed."""

    bucket: str
    keys: tuple[str, ...] = ()


def is_s3(environ: Mapping[str, Any]) -> bool:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    return "/s3/aws4_request" in authorization or not (authorization or "HTTP_X_AMZ_TARGET" in environ)


def path_of(environ: Mapping[str, Any]) -> tuple[str, str]:
    """Bucket and key, either may be empty. WSGI hands the path over as Latin-1; a key is UTF-8."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def change_of(environ: Mapping[str, Any]) -> Change | None:
    """None where nothing that is kept can change. For DeleteObjects the keys come from `deleted_keys`."""
    if environ["REQUEST_METHOD"] not in _MUTATING:
        return None
    bucket, key = path_of(environ)
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    upload_of_part = environ["REQUEST_METHOD"] == "PUT" and "uploadId" in query
    if not bucket or upload_of_part or "uploads" in query:
        return None
    return Change(bucket, (key,) if key else ())


def is_delete_objects(environ: Mapping[str, Any]) -> bool:
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return environ["REQUEST_METHOD"] == "POST" and "delete" in query


def deleted_keys(body: bytes) -> tuple[str, ...]:
    found = re.findall(r"<Key>(.*?)</Key>", body.decode("utf-8", "replace"), re.DOTALL)
    return tuple(dict.fromkeys(unescape(key, {"&quot;": '"', "&apos;": "'"}) for key in found))
