"""Spark on this machine: processes, a standalone master, applications.

Owns what the local worker pool, the demo, the benchmarks and the tests share.
"""
