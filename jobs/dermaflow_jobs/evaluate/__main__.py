from dermaflow_jobs.evaluate.step import evaluate
from dermaflow_jobs.runtime.step import run_step

run_step("evaluate", evaluate)
