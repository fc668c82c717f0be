"""The records that enter and leave the core: observations, decisions, settings, profiles."""
