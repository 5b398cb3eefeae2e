"""Settings of one server: given on its command line, frozen from then on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autonoe.errors import InvalidInputError
from autonoe_nace.logs.store import PART
from autonoe_nace.recoding.sources import OFFICIAL

MAX_WORKERS = 64


@dataclass(frozen=True)
class ServingSettings:
    """How one model is served."""

    model: str
    """Folder of a model, or ``models:/NAME@ALIAS``, or ``models:/NAME/VERSION``."""
    state_dir: Path
    """Folder of this server's logs (``logs/``) and of fetched models (``models/``)."""
    key_file: Path | None = None
    """File of hashed API keys, mode 0600; without one the API is open, on loopback only."""
    deployment: str = "local"
    """Name that goes with each log line."""
    threshold: float = 0.8
    """Confidence from which a code counts as automatic, in [0, 1]."""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    """Processes that answer requests; they share the memory of one model."""
    root_path: str = ""
    """Public path prefix that a proxy leaves on each request, such as ``/services/nace``."""
    rate_per_s: float = 0.0
    """Requests per second of a key whose entry does not say; 0 for no limit."""
    burst: int = 0
    """Requests that such a key may send at once; 0 for those of two seconds."""
    records_per_day: int = 0
    """Records that such a key may have coded a day (UTC); 0 for no limit."""
    flush_s: float = 1.0
    """Longest time a log line stays in memory, in seconds."""
    logging: bool = True
    """False keeps no log of predictions: for measuring what logging costs."""
    max_pending_logs: int = 100_000
    """Log lines that each worker keeps while the disk refuses them; more are dropped, counted."""
    pseudonymise: bool = False
    """Log an HMAC of each text instead of the text."""
    registry_timeout_s: float = 60.0
    """Longest time to fetch a model, in seconds; then the last good one serves."""
    logs_to: str = ""
    """``s3://…`` or a folder where prediction logs go by themselves; empty: they stay here."""
    logs_part: str = PART
    """Name of this server's file in each day there; two servers never share one."""
    pseudonym_secret: bool = False
    """Keep the key of pseudonyms in the account's secrets instead of in the state folder."""
    refresh_s: float = 15.0
    """How often the alias is looked up, in seconds."""
    correspondence: str = ""
    """What `dual` answers follow: ``ateco``, ``nace``, or a CSV or Parquet file of this machine,
    its first column of the model's version; empty: the server answers in one version only."""
    correspondence_to: str = ""
    """Version of that file's second column, by name or file; the official partner by default."""
    second_model: str = ""
    """Folder of a model of the other version, which `dual` answers ask too; one for all time."""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InvalidInputError(
                f"The threshold is a confidence between 0 and 1, not {self.threshold}.",
                hint="0.8 is usual.",
            )
        if self.key_file is None and self.host not in {"127.0.0.1", "::1", "localhost"}:
            raise InvalidInputError(
                f"Without API keys the server does not listen on {self.host}.",
                hint="Give --key-file FILE, or leave --host out.",
            )
        if self.root_path and not (
            self.root_path.startswith("/") and not self.root_path.endswith("/")
        ):
            raise InvalidInputError(
                "The root path starts with a slash and does not end with one.",
                hint="For example /services/nace",
            )
        if self.max_pending_logs < 1:
            raise InvalidInputError(
                "A worker keeps one log line at least until it is written.",
                hint="100000 is usual; --no-log keeps no log at all.",
            )
        if not 1 <= self.workers <= MAX_WORKERS:
            raise InvalidInputError(
                f"A server has 1 to {MAX_WORKERS} workers, not {self.workers}.",
                hint="One for each processor core that it may use.",
            )
        self._check_correspondence()
        if not (self.rate_per_s >= 0 and self.burst >= 0 and self.records_per_day >= 0):
            raise InvalidInputError(
                "A limit is not below zero.", hint="0 stands for no limit at all."
            )

    def _check_correspondence(self) -> None:
        given = self.correspondence
        if given and given not in OFFICIAL and not Path(given).is_file():
            raise InvalidInputError(
                f"There is no correspondence {given!r}: it is neither an official one nor a file.",
                hint=f"Give a file of this machine, or one of: {', '.join(OFFICIAL)}.",
                code="no_correspondence",
            )
        if self.second_model and not given:
            raise InvalidInputError(
                "A second model answers within a correspondence.",
                hint="Give --second-model together with --correspondence.",
            )
        if self.correspondence_to and (not given or given in OFFICIAL):
            raise InvalidInputError(
                "The version to go to belongs to a correspondence by file.",
                hint="Give --to together with --correspondence FILE.",
            )
