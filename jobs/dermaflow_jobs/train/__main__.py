from dermaflow_jobs.runtime.step import run_step
from dermaflow_jobs.train.step import train

run_step("train", train)
