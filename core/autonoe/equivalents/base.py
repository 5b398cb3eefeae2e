"""What every request has: a title, the call, and its written forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """One way to write a request."""

    label: str
    """Name of the tool, for people."""
    language: str
    """``python`` or ``bash``, for highlighting."""
    text: str


class Request(ABC):
    """An action, before it is done."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, as a short sentence."""

    @abstractmethod
    def call(self) -> Any:
        """Do it, with the credentials of this process, and return what the client returns."""

    @abstractmethod
    def forms(self) -> list[Form]:
        """Return the written forms: Python first, then command lines."""
