"""Kitwai's laboratory: measurements, the demo, and the real parts that both and the tests start.

It is a distribution of its own: `make setup` installs it, a user's ``pip install`` does not. Its
commands (``kitwai bench``, ``kitwai demo``) join `kitwai` by the entry point ``kitwai.commands``.
"""
