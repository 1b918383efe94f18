from dermaflow_jobs.preprocess.job import preprocess
from dermaflow_jobs.runtime.step import run_step

if __name__ == "__main__":
    run_step("preprocess", preprocess)
