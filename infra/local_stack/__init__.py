"""Local AWS and Airflow as processes on this machine, and one training run through them: `make up`, `make demo`.

Starts what it runs by command line and speaks to it by HTTP; imports nothing of it but the contract.
"""
