"""The settings of metric sources: one model a source, each in its own file."""
