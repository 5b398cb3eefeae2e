"""Where the embedded platform keeps what it keeps: one folder, one subject per subfolder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from autonoe.names import slug


def default_data_dir() -> Path:
    """Return ``$AUTONOE_DATA_DIR``, or the person's data folder (``~/.local/share/autonoe``)."""
    chosen = os.environ.get("AUTONOE_DATA_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("autonoe"))


@dataclass(frozen=True)
class Layout:
    """Paths below one data folder. Nothing here touches the disk, except :meth:`create`."""

    root: Path

    @property
    def platform_file(self) -> Path:
        """Ports, host and owner, chosen once (see ``PlatformFile``); holds no secret."""
        return self.root / "platform.json"

    @property
    def secrets(self) -> Path:
        """Folder 0700 of generated secrets, each a file 0600."""
        return self.root / "secrets"

    @property
    def tickets(self) -> Path:
        """Folder of unused one-time login links; a file's name is the SHA-256 of the ticket."""
        return self.secrets / "tickets"

    def secret(self, name: str) -> Path:
        """Return the file of the generated secret ``name``."""
        return self.secrets / name

    @property
    def run(self) -> Path:
        """Folder of sockets, locks and process records; worthless once nothing runs."""
        return self.root / "run"

    @property
    def control_socket(self) -> Path:
        """Unix socket on which the supervisor answers; it checks the peer's UID."""
        return self.run / "control.sock"

    @property
    def logs(self) -> Path:
        """Folder of one log file per component."""
        return self.root / "logs"

    def log(self, component: str) -> Path:
        """Return the log file of ``component``."""
        return self.logs / f"{component}.log"

    def component(self, name: str) -> Path:
        """Return the folder that the component ``name`` owns."""
        return self.root / "components" / name

    def account(self, name: str) -> Path:
        """Return the folder of the account ``name``: ``account.json`` and ``proof.json`` (0600)."""
        return self.root / "accounts" / slug(name)

    def proof(self, name: str) -> Path:
        """Return the file that proves the identity of the account ``name`` to OpenBao (0600)."""
        return self.account(name) / "proof.json"

    def home(self, name: str) -> Path:
        """Return the home folder of the account ``name`` (0700, owned by the account's UID)."""
        return self.root / "homes" / slug(name)

    @property
    def site(self) -> tuple[Path, Path]:
        """The organisation's settings (profiles, language, brand), and the cache of catalogues."""
        return self.root / "site.yaml", self.component("hub") / "catalogues"

    def create(self) -> None:
        """Create the folders with their modes; those that exist keep what they hold.

        The root is 0711: an account with a UID of its own must reach its home and the control
        socket, and can list nothing.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for path, mode in (
            (self.secrets, 0o700),
            (self.tickets, 0o700),
            (self.logs, 0o700),
            (self.root / "components", 0o700),
            (self.run, 0o711),
            (self.root / "accounts", 0o711),
            (self.root / "homes", 0o711),
        ):
            path.mkdir(exist_ok=True)
            path.chmod(mode)
