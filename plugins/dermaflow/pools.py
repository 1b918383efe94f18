"""The pool whose slots are clusters: how many of them there may be at once, whatever runs and backfills want."""

from __future__ import annotations

from typing import Final

CLUSTERS: Final = "emr_clusters"
"""Every task that works on a rented cluster is in it, from its creation on. Counts deferred tasks too."""
