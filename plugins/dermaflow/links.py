"""Links from a task to where its cluster can be seen."""

from __future__ import annotations

from airflow.providers.amazon.aws.links.emr import EmrClusterLink


class EmrConsoleLink(EmrClusterLink):
    """The cluster in AWS's console."""

    name = "EMR cluster"
    key = "dermaflow_cluster"
