"""Step `verify`: can driver and executors import what the jobs need, in the same versions?"""
