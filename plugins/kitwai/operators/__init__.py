"""The operators of the DAGs: a step (observe, decide, scale), training, models by hand."""
