"""The notifier that stands in DAGs and operators: composes a message and sends it to everybody who wants it."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Context
from airflow.sdk.bases.notifier import BaseNotifier

from dermaflow import settings
from dermaflow.notify import news
from dermaflow.notify.addresses import Address, Event, parse, told_of

log = logging.getLogger(__name__)


class Notice(BaseNotifier):
    """Tell of one event. Never raises: an address that cannot be reached is logged, and the next one is tried.

    .. code-block:: python

        approve = ApprovalOperator(task_id="approve", subject="…", notifiers=notice("approval"))
    """

    def __init__(self, event: Event, addresses: tuple[Address, ...]) -> None:
        super().__init__()
        self.event: Event = event
        self.addresses = addresses

    def notify(self, context: Context) -> None:
        if not self.addresses:
            return
        try:
            message = news.compose(self.event, context)
        except Exception:
            log.exception("no message could be made of this %s", self.event)
            return
        for address in self.addresses:
            try:
                # notify(), not the call: that would render the message as a template, and a message may quote anything
                address.notifier(message).notify(context)
            except Exception:
                log.exception("%s was not told of this %s", address.name, self.event)
            else:
                log.info("told %s of this %s", address.name, self.event)


def notice(event: Event) -> Notice:
    """Raises AddressError where DERMAFLOW_NOTIFY is not understood: the DAG's import error says so."""
    return Notice(event, told_of(event, parse(settings.notify())))


def callbacks(*events: Event) -> dict[str, Any]:
    """`on_success_callback` and `on_failure_callback` for a DAG; empty where nobody wants to be told."""
    notices = {event: notice(event) for event in events}
    return {f"on_{event}_callback": each for event, each in notices.items() if each.addresses}
