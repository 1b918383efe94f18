"""The middleware before moto: what a request changed is on disk before its answer goes out."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, s3_backends
from moto.s3.utils import _VersionedKeyStore

from local_aws.s3.bodies import BodyFolder, BodyOnDisk
from local_aws.s3.index import Index, Row
from local_aws.s3.large import large_object, stream
from local_aws.s3.records import backend_of, dump, load
from local_aws.s3.requests import change_of, deleted_keys, is_delete_objects

log = logging.getLogger(__name__)
_NOT_CONFIGURATION = ("keys", "multiparts")


class S3Disk:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._bodies = BodyFolder(folder / "bodies")
        self._index = Index(folder / "index.sqlite")
        # moto looks at If-None-Match and then writes; S3 does both at once. One lock a key, nearly.
        self._stripes = [threading.Lock() for _ in range(64)]

    def answer(self, app: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """moto's answer, once what it changed is kept."""
        change = change_of(environ)
        large = large_object(environ)
        if large is not None:
            return stream(app, environ, start_response, large)
        if change is None:
            unchanged: Iterable[bytes] = app(environ, start_response)
            return unchanged
        keys = change.keys
        if is_delete_objects(environ):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            keys = deleted_keys(body)
        with self._stripe(change.bucket, change.keys):
            with contextlib.closing(app(environ, start_response)) as answered:
                held = list(answered)
            for key in keys:
                self._keep_key(change.bucket, key)
            if not keys:
                self.keep_buckets()
        return held

    def _stripe(self, bucket: str, keys: tuple[str, ...]) -> contextlib.AbstractContextManager[object]:
        return self._stripes[hash((bucket, keys)) % len(self._stripes)]

    def _keep_key(self, bucket_name: str, key: str) -> None:
        where = s3_backends.bucket_accounts.get(bucket_name)
        if where is None:
            return
        backend = backend_of(where[1])
        bucket = backend.buckets.get(bucket_name)
        versions = [] if bucket is None else list(bucket.keys.getlist(key, []))
        rows = [self._row(version, backend) for version in versions]
        self._bodies.let_go(self._index.put_versions(bucket_name, key, rows))

    def _row(self, version: FakeKey | FakeDeleteMarker, backend: Any) -> Row:
        record = dump(version, backend)
        if isinstance(version, FakeDeleteMarker):
            return Row(record, None)
        buffer: Any = version._value_buffer
        if not isinstance(buffer, BodyOnDisk):
            body = self._bodies.write(version.value)
            with version.lock:
                version._value_buffer = body  # type: ignore[assignment]
            buffer.close()
            version.multipart = None  # its parts hold the body a second time
            return Row(record, body.path.name)
        return Row(record, buffer.path.name)

    def keep_buckets(self) -> None:
        """The configuration of every bucket as it is now; CloudFormation makes and changes buckets too."""
        kept = {name: configuration for name, _, configuration in self._index.buckets()}
        for account, bucket in _all_buckets():
            configuration = _configuration(bucket)
            if kept.pop(bucket.name, None) != configuration:
                self._index.put_bucket(bucket.name, account, configuration)
        for gone in kept:
            self._index.drop_bucket(gone)

    def reload(self) -> None:
        """Put everything kept into moto, in place of what buckets it has."""
        for _, bucket in list(_all_buckets()):
            backend_of(bucket.account_id).buckets.pop(bucket.name)
        for name, account, configuration in self._index.buckets():
            backend_of(account).buckets[name] = _bucket(name, account, configuration)
        bodies = set()
        for bucket_name, key, row in self._index.versions():
            where = s3_backends.bucket_accounts.get(bucket_name)
            backend = backend_of(where[1]) if where else None
            if backend is None or bucket_name not in backend.buckets:
                continue
            bucket = backend.buckets[bucket_name]
            body = self._bodies.open(row.body) if row.body else None
            bucket.keys[key] = load(key, row.record, bucket, body, backend)
            bodies.add(row.body)
        self._bodies.keep_only({body for body in bodies if body})


def _all_buckets() -> Iterable[tuple[str, FakeBucket]]:
    for account in list(s3_backends):
        for bucket in list(backend_of(account).buckets.values()):
            yield account, bucket


def _configuration(bucket: FakeBucket) -> bytes:
    backend = backend_of(bucket.account_id)
    fields = {name: value for name, value in vars(bucket).items() if name not in _NOT_CONFIGURATION}
    return pickle.dumps((fields, backend.tagger.get_tag_dict_for_resource(bucket.arn)))


def _bucket(name: str, account: str, configuration: bytes) -> FakeBucket:
    """moto's own values are pickled, so another moto may not read them: then the bucket is there, plain."""
    bucket = FakeBucket(name, account, "us-east-1")  # type: ignore[abstract]
    try:
        fields, tags = pickle.loads(configuration)  # noqa: S301 - our own file, in our own state folder
    except Exception as error:  # noqa: BLE001 - unpickling raises anything
        log.warning("bucket %s comes back without its configuration: %r", name, error)
        return bucket
    vars(bucket).update(fields)
    bucket.keys = _VersionedKeyStore()
    if tags:
        tagger = backend_of(account).tagger
        tagger.tag_resource(bucket.arn, tagger.convert_dict_to_tags_input(tags))
    return bucket
