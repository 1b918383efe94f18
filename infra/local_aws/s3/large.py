"""GetObject of large objects, streamed from their file.

moto reads the whole object for every range that is asked of it, and clients ask for 8 MB at a time, ten at once: of a
shard of 128 MB that would be gigabytes in memory. Here moto answers the HEAD request of the same range, which says all
but the bytes, and the bytes come from the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO
from urllib.parse import parse_qs

from moto.s3.models import FakeKey, s3_backends

from local_aws.s3.bodies import BodyOnDisk
from local_aws.s3.records import backend_of
from local_aws.s3.requests import path_of

LARGE = 1_000_000
_CHUNK = 1_000_000
_PLAIN_QUERY = re.compile(r"(x-id|versionId|response-.*|X-Amz-.*)$")


def large_object(environ: dict[str, Any]) -> FakeKey | None:
    """What a request asks for, if it is a GetObject of a large object that is on disk."""
    bucket, key = path_of(environ)
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if environ["REQUEST_METHOD"] != "GET" or not key or not all(map(_PLAIN_QUERY.match, query)):
        return None
    where = s3_backends.bucket_accounts.get(bucket)
    found = backend_of(where[1]).buckets.get(bucket) if where else None
    versions = found.keys.getlist(key, []) if found else []
    wanted = query.get("versionId", [None])[0]
    chosen = [each for each in versions if wanted in {None, each.version_id}][-1:]
    if not chosen or not isinstance(chosen[0], FakeKey) or chosen[0].contentsize < LARGE:
        return None
    return chosen[0] if isinstance(_body(chosen[0]), BodyOnDisk) else None


def stream(app: Any, environ: dict[str, Any], start_response: Any, key: FakeKey) -> Iterable[bytes]:
    """moto's headers, the file's bytes; whatever else moto says to the HEAD request is asked of it again as GET."""
    answered: list[tuple[str, list[tuple[str, str]]]] = []
    head = {**environ, "REQUEST_METHOD": "HEAD"}
    list(app(head, lambda status, headers, _info=None: answered.append((status, headers))))
    status, headers = answered[-1]
    given = {name.lower(): value for name, value in headers}
    if not status.startswith(("200", "206")):
        asked: Iterable[bytes] = app(environ, start_response)
        return asked
    span = re.match(r"bytes (\d+)-", given.get("content-range", ""))
    file = _body(key).path.open("rb")
    file.seek(int(span.group(1)) if span else 0)
    start_response(status, [_as_for_get(key, *header) for header in headers])
    return _chunks(file, int(given["content-length"]))


def _body(key: FakeKey) -> Any:
    return key._value_buffer


def _as_for_get(key: FakeKey, name: str, value: str) -> tuple[str, str]:
    """moto's HEAD leaves the number of parts off the checksum of an object uploaded in parts."""
    composite = key.checksum_type == "COMPOSITE" and name.lower() == f"x-amz-checksum-{key.checksum_algorithm}".lower()
    return name, f"{key.checksum_value}-{key.checksum_parts}" if composite else value


def _chunks(file: BinaryIO, remaining: int) -> Iterator[bytes]:
    with file:
        while remaining and (chunk := file.read(min(_CHUNK, remaining))):
            remaining -= len(chunk)
            yield chunk
