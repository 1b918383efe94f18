"""moto's objects and delete markers as JSON, without their bodies, and back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, s3_backends

from local_aws.s3.bodies import BodyOnDisk

Version = FakeKey | FakeDeleteMarker
_PLAIN = (
    "account_id",
    "region_name",
    "bucket_name",
    "contentsize",
    "website_redirect_location",
    "checksum_algorithm",
    "checksum_value",
    "checksum_type",
    "checksum_parts",
    "encryption",
    "kms_key_id",
    "bucket_key_enabled",
    "lock_mode",
    "lock_legal_status",
    "lock_until",
    "_storage_class",
    "_etag",
    "_version_id",
    "_is_versioned",
)


def dump(version: Version, backend: Any) -> str:
    if isinstance(version, FakeDeleteMarker):
        return json.dumps(
            {"marker": True, "version_id": version.version_id, "last_modified": version.last_modified.isoformat()}
        )
    _ = version.etag  # computed from the body where moto has not done so yet
    return json.dumps(
        {
            **{name: getattr(version, name) for name in _PLAIN},
            "last_modified": version.last_modified.isoformat(),
            "metadata": dict(version.metadata),
            "tags": backend.tagger.get_tag_dict_for_resource(version.arn),
        }
    )


def load(name: str, text: str, bucket: FakeBucket, body: BodyOnDisk | None, backend: Any) -> Version:
    fields = json.loads(text)
    if fields.get("marker"):
        # moto's marker points at the version before it; a marker alone can be where that version was deleted.
        before = bucket.keys.get(name) or FakeKey(name, b"", bucket.account_id, bucket.region_name)
        marker = FakeDeleteMarker(before)
        marker._version_id = fields["version_id"]
        marker.last_modified = datetime.fromisoformat(fields["last_modified"])
        return marker
    key = FakeKey(name, b"", fields["account_id"], fields["region_name"])
    for field in _PLAIN:
        setattr(key, field, fields[field])
    key.last_modified = datetime.fromisoformat(fields["last_modified"])
    key.set_metadata(fields["metadata"], replace=False)
    key._value_buffer = body  # type: ignore[assignment]
    if fields["tags"]:
        backend.tagger.tag_resource(key.arn, backend.tagger.convert_dict_to_tags_input(fields["tags"]))
    return key


def backend_of(account: str) -> Any:
    return s3_backends[account]["aws"]
