"""Ids and addresses as AWS draws them."""

from __future__ import annotations

import secrets

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _drawn(prefix: str, length: int) -> str:
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


def cluster_id() -> str:
    return _drawn("j-", 13)


def step_id() -> str:
    return _drawn("s-", 13)


def group_id() -> str:
    return _drawn("ig-", 13)


def fleet_id() -> str:
    return _drawn("if-", 13)


def instance_id() -> str:
    return _drawn("ci-", 13)


def ec2_id() -> str:
    return f"i-{secrets.token_hex(9)[:17]}"


def private_ip() -> str:
    return f"172.31.{secrets.randbelow(256)}.{4 + secrets.randbelow(250)}"
