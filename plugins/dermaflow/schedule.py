"""When the training runs by itself."""

from __future__ import annotations

from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable

from dermaflow import settings
from dermaflow.assets import RAW_DATA


def by_time_or_new_images() -> AssetOrTimeSchedule | None:
    """A run for each interval of DERMAFLOW_SCHEDULE, which sees the images up to its end, and one whenever new images
    are announced on the asset `raw_data`. None, by hand only, where the schedule is "none".
    """
    cron = settings.schedule()
    if cron is None:
        return None
    return AssetOrTimeSchedule(timetable=CronDataIntervalTimetable(cron, timezone="UTC"), assets=[RAW_DATA])
