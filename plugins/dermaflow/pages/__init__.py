"""Results pages in Airflow's navigation: what the ledger, the champion and the datasets in S3 say, as plain HTML.

No page needs a script. Every route needs Airflow's login and the permission to read the training DAG.
"""
