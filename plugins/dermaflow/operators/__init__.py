"""One operator a file. Each takes keyword arguments only and works in anybody's DAG."""
