"""The control plane: operators, triggers and the EMR requests they send. Runs in Airflow's processes."""
