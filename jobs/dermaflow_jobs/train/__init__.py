"""Training: a Spark barrier stage places workers on executors, and one loop runs in each of them."""
