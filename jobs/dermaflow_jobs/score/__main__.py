from dermaflow_jobs.runtime.step import run_step
from dermaflow_jobs.score.job import score

if __name__ == "__main__":
    run_step("score", score)
