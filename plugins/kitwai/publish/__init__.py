"""What others get of the store: Prometheus text, and tables in the original system's format."""
