"""What is wrong with a catalogue: each problem with its file and line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autonoe.errors import InvalidInputError

_SHOWN = 20
"""Problems that a message lists; all are in :attr:`CatalogueError.problems`."""


@dataclass(frozen=True)
class Problem:
    """One thing to mend in one file."""

    file: str
    """Path or address as the source named it."""
    line: int
    """Line of the value, counted from 1; 0 when the file as a whole is meant."""
    where: str
    """Dotted path of the key, such as ``profiles.python.image``; may be empty."""
    message: str
    """What was found and what would be right."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return (
            f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"
        )


class CatalogueError(InvalidInputError):
    """A catalogue of profiles, or the site's settings, cannot be used as written.

    Parameters
    ----------
    problems : sequence of Problem
        At least one.
    """

    code = "invalid_catalogue"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = [str(problem) for problem in self.problems[:_SHOWN]]
        if count > _SHOWN:
            lines.append(f"and {count - _SHOWN} more")
        super().__init__(
            f"{count} problem{'s' if count > 1 else ''} in the catalogue:\n" + "\n".join(lines),
            hint="Mend the lines named above, then run `autonoe profiles check` again.",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the public form, with the problems beside it."""
        document = super().as_dict()
        document["error"]["problems"] = [asdict(problem) for problem in self.problems]
        return document
