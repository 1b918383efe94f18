"""A stand-in for AWS on one machine: moto's server for S3, IAM, STS and the rest, and an EMR that executes.

    python -m local_aws --port 4566 --state DIR

One process, one port on loopback. `GET /_local_aws/health` answers 200 once everything is reloaded;
`GET /_local_aws/calls` counts API calls by operation, those of the control plane apart from those of cluster nodes.

A fresh state is a fresh account: nothing is in it, roles included. S3 survives a restart, kill -9 included, and so do
IAM's requests (`journal.py`); so do the records of clusters, of which those then alive have ended with errors. The
rest of moto is forgotten. Requests are not authenticated and permissions are not checked: never listen beyond loopback.
What its EMR does not simulate is listed in `local_aws.emr`.
"""
