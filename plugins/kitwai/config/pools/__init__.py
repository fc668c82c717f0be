"""The settings of pools: one model a kind of pool, each in its own file."""
