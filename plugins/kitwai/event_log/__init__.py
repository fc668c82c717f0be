"""Reads the files of Spark event logs and makes application profiles of them."""
