"""Creates the pool of clusters when Airflow's own processes start: tasks of a pool that is not there never run."""

from __future__ import annotations

import logging

from airflow.listeners import hookimpl

from dermaflow import settings
from dermaflow.pools import CLUSTERS

log = logging.getLogger(__name__)
DESCRIPTION = "EMR clusters at once, over all runs and backfills. Change the slots as you like; deferred tasks count."


@hookimpl
def on_starting(component: object) -> None:
    """Called in the scheduler, the triggerer and the DAG processor, which have the database; and for every task, which
    has not."""
    if type(component).__module__ != "airflow.jobs.job":
        return
    from sqlalchemy.exc import IntegrityError

    try:
        make_pool()
    except IntegrityError:
        log.debug("another process has just created the pool %s", CLUSTERS)


def make_pool() -> None:
    """If it is there already, it is left as it is."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        there = Pool.get_pool(CLUSTERS, session=session)
        if there is None:
            slots = settings.max_clusters()
            Pool.create_or_update_pool(CLUSTERS, slots, DESCRIPTION, include_deferred=True, session=session)
            log.info("created the pool %s with %d slots", CLUSTERS, slots)
        elif not there.include_deferred:
            log.warning("pool %s does not count deferred tasks: it does not cap clusters until it does", CLUSTERS)
