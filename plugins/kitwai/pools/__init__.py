"""Worker pools: what starts, drains and ends Spark workers. One file a kind of pool."""
