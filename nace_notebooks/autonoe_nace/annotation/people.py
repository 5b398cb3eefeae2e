"""The people of one annotation service: who codes, who arbitrates, and how each logs in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from autonoe.embedded.files import read_json, write_json
from autonoe.errors import InvalidInputError, NotFoundError

_FILE = "people.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_PASSWORD_BYTES = 15


@dataclass(frozen=True)
class Person:
    """One account of the annotation service.

    Attributes
    ----------
    name : str
        Short name, which goes with each label.
    role : str
        ``coder`` or ``arbiter``.
    email : str
        What Label Studio asks for at login; nothing is ever sent there.
    password, token : str
        Made at random; they are in the file of mode 0600 and nowhere else.
    """

    name: str
    role: str
    email: str
    password: str
    token: str

    def __repr__(self) -> str:
        return f"Person({self.name!r}, {self.role!r})"


class People:
    """The file of accounts in the service's folder, readable by its owner only.

    Parameters
    ----------
    folder : Path
        Folder of the service.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / _FILE

    def all(self) -> list[Person]:
        """Return everybody, in the order in which they were added."""
        document = read_json(self.file) or []
        return [Person(**row) for row in document]

    def add(self, names: Iterable[str], role: str) -> list[Person]:
        """Add who is not there yet and return everybody.

        Raises
        ------
        InvalidInputError
            If a name cannot be one, or has the other role already.
        """
        known = self.all()
        for name in names:
            if not _NAME.fullmatch(name):
                raise InvalidInputError(
                    f"{name!r} cannot be the name of a coder.",
                    hint="Small letters, digits, dot, hyphen, underscore; 40 at most.",
                )
            earlier = next((person for person in known if person.name == name), None)
            if earlier is None:
                known.append(
                    Person(
                        name=name,
                        role=role,
                        email=f"{name}@annotation.local",
                        password=secrets.token_urlsafe(_PASSWORD_BYTES),
                        token=secrets.token_hex(20),
                    )
                )
            elif earlier.role != role:
                raise InvalidInputError(
                    f"{name} is {earlier.role} already.", hint="Who arbitrates does not code."
                )
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(self.file, [asdict(person) for person in known])
        return known

    def having(self, role: str) -> list[Person]:
        """Return who has ``role``."""
        return [person for person in self.all() if person.role == role]

    def get(self, name: str) -> Person:
        """Return one person.

        Raises
        ------
        NotFoundError
            If there is nobody of that name.
        """
        for person in self.all():
            if person.name == name:
                return person
        raise NotFoundError(
            f"Nobody is called {name} here.", hint="autonoe nace annotate start --coder NAME"
        )
