"""What other programs read of the store: Prometheus text, and the original system's tables."""
