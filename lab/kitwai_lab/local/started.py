"""Real parts that a ``with`` statement starts and stops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Started(ABC):
    """A part that has to be started and stopped; a ``with`` statement does both."""

    @abstractmethod
    def start(self) -> None:
        """Start the part and return when it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End the part and everything that it started."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
