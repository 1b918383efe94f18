"""What must be done once before Airflow's processes start: the admin's password, and the database's tables."""

import json
import os
from pathlib import Path

passwords = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
passwords.touch(mode=0o600)
passwords.write_text(json.dumps({"admin": os.environ["DERMAFLOW_ADMIN_PASSWORD"]}))
os.execvp("airflow", ["airflow", "db", "migrate"])  # noqa: S606 - replaces this process, no shell
