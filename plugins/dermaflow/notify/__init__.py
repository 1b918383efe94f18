"""Messages about runs to people: over SNS, Slack and mail, by Airflow's notifiers; none unless DERMAFLOW_NOTIFY is set.

Use `callbacks("success", "failure")` as keyword arguments of a DAG, and `notice("approval")` as an operator's notifier.
"""

from dermaflow.notify.notice import Notice, callbacks, notice

__all__ = ["Notice", "callbacks", "notice"]
