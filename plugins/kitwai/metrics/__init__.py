"""Publishes the store's content for other programs: Prometheus text and the original CSV."""
