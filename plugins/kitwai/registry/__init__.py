"""Versions of the agent, which of them is the champion, and the past runs that each knows."""
