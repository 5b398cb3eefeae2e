"""Which rows of a table to take: ``column=value`` and ``column!=value``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autonoe.errors import InvalidInputError

_FORM = re.compile(r"\s*(?P<column>[^=!]+?)\s*(?P<sign>!=|=)\s*(?P<value>.*?)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """Keep the rows whose ``column`` is ``value``, or is not when ``equal`` is false."""

    column: str
    value: str
    equal: bool = True

    def holds(self, value: str) -> bool:
        """Tell whether a row with ``value`` in the column is kept."""
        return (value.strip() == self.value) is self.equal

    def __str__(self) -> str:
        return f"{self.column}{'=' if self.equal else '!='}{self.value}"

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Return the condition that ``text`` states.

        Raises
        ------
        InvalidInputError
            If it has not the form ``column=value`` or ``column!=value``.

        Examples
        --------
        >>> Condition.parse("fold != 3")
        Condition(column='fold', value='3', equal=False)
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise InvalidInputError(
                f"The condition {text!r} is not of the form column=value or column!=value.",
                hint="For example --where lang=en or --where fold!=3.",
            )
        return cls(found["column"], found["value"], found["sign"] == "=")
