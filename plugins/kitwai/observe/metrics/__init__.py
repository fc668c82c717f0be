"""Metric sources: CPU, network and memory of the cluster. One file a source."""
