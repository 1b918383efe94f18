"""EMR: the requests as pure functions, and the few calls that must not be made twice."""
