from dermaflow_jobs.runtime.step import run_step
from dermaflow_jobs.verify.job import verify

if __name__ == "__main__":
    run_step("verify", verify)
