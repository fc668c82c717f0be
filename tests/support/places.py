"""Where the tests find the repository and what they read."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
DATA = TESTS / "data"
SHARED = REPOSITORY.parent / "shared"
"""Data that others measured, where it lies beside the checkout."""
