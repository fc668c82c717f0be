"""Forecasts when an application will end at each worker count, as a distribution."""
