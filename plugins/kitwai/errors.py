"""The errors Kitwai raises on purpose.

Every message is one sentence for the person who has to act: what was wrong, where, what to do.
"""

from __future__ import annotations


class KitwaiError(Exception):
    """Base of all errors that Kitwai raises on purpose; the message is one clear sentence."""


class InvalidInputError(KitwaiError):
    """A setting, parameter or file holds a value that Kitwai cannot use."""


class SourceError(KitwaiError):
    """An observed source (master, driver, metrics) could not be read."""


class PoolError(KitwaiError):
    """The worker pool could not start, find or stop a worker."""


class LeaseError(KitwaiError):
    """Another scaling operation holds the cluster."""


class LeaseLostError(LeaseError):
    """Another has taken it while this one was under way: what it had done by then stays done."""


class CheckpointError(KitwaiError):
    """A checkpoint is missing, incomplete, altered, or made for other features."""


class PromotionError(CheckpointError):
    """Another version has become the champion in the meantime."""


class StoreError(KitwaiError):
    """The store cannot be opened, or is of a newer version than this code."""
