# ruff: noqa: ARG001 - operations have one signature
"""What EMR offers: releases, their applications, and the instance types they run on."""

from __future__ import annotations

from local_aws.emr import catalog
from local_aws.emr.context import Answer, Context, Params
from local_aws.emr.errors import invalid_request
from local_aws.emr.paging import page

RELEASES_A_PAGE = 100
TYPES_A_PAGE = 50


def list_release_labels(context: Context, params: Params) -> Answer:
    filters = params.get("Filters", {})
    labels = [
        label
        for label in catalog.RELEASES
        if label.startswith(filters.get("Prefix", ""))
        and filters.get("Application", "").lower().partition(" ")[0] in {"", *map(str.lower, catalog.APPLICATIONS)}
    ]
    shown, token = page(labels, params.get("NextToken"), params.get("MaxResults", RELEASES_A_PAGE))
    return {"ReleaseLabels": shown, **({"NextToken": token["Marker"]} if token else {})}


def describe_release_label(context: Context, params: Params) -> Answer:
    label = _known(params.get("ReleaseLabel"))
    applications = [{"Name": name, "Version": version} for name, version in catalog.APPLICATIONS.items()]
    return {"ReleaseLabel": label, "Applications": applications, "AvailableOSReleases": [{"Label": "2023"}]}


def list_supported_instance_types(context: Context, params: Params) -> Answer:
    _known(params["ReleaseLabel"])
    types, marker = page(list(catalog.instance_types().values()), params.get("Marker"), TYPES_A_PAGE)
    shown = [
        {
            "Type": each.name,
            "MemoryGB": each.memory_mib / 1024,
            "VCPU": each.vcpus,
            "Is64BitsOnly": True,
            "InstanceFamilyId": each.name.partition(".")[0],
            "EbsStorageOnly": each.ebs_only,
            "Architecture": each.architecture.upper(),
        }
        for each in types
    ]
    return {"SupportedInstanceTypes": shown, **marker}


def _known(label: str | None) -> str:
    if label not in catalog.RELEASES:
        raise invalid_request(f"The supplied release label is invalid: {label}.")
    return str(label)
