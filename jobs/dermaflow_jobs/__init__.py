"""Dermaflow's data plane: the jobs that run on EMR, and `contract`, all that the control plane knows of them."""
