"""The operations, one function each: checked parameters in, answer out."""
