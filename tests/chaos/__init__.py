"""`make chaos`: the real DAG, Airflow and Spark under faults, each from a clean stack; a row a fault.

Between Airflow and local AWS stands microburst, which answers as AWS does when it throttles, breaks or loses an answer.
"""
