"""Evaluation: what the model says of every image of a split, and the scores of that."""
