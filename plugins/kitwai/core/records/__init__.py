"""The records that cross the borders of the core: observations, decisions, settings, profiles."""
