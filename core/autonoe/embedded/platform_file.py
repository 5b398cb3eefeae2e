"""What the platform chose once and keeps: addresses, ports and whose platform it is."""

from __future__ import annotations

import socket

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.embedded import ports
from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.layout import Layout
from autonoe.errors import AutonoeError, NotFoundError

WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104  names to compare with; nothing is bound here
_INTERNAL = (
    "openbao",
    "openbao_cluster",
    "s3",
    "s3_grpc",
    "weed_master",
    "weed_master_grpc",
    "weed_volume",
    "weed_volume_grpc",
    "weed_filer",
    "weed_filer_grpc",
    "weed_admin",
    "weed_admin_grpc",
    "mlflow",
    "hub_api",
    "traefik_api",
)


class PlatformFile(BaseModel):
    """The content of ``platform.json``. It holds no secret.

    All ports except :attr:`port` are of loopback. They are kept because addresses are: OpenBao
    signs its own into each identity token, a notebook's environment holds the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """Address on which the public port listens; anything but loopback was asked for."""
    port: int = Field(ge=1, le=65535)
    """Public port: the only one that a browser needs."""
    owner: str
    """Account of the person who started the platform first."""
    openbao: int
    openbao_cluster: int
    s3: int
    s3_grpc: int
    weed_master: int
    weed_master_grpc: int
    weed_volume: int
    weed_volume_grpc: int
    weed_filer: int
    weed_filer_grpc: int
    weed_admin: int
    weed_admin_grpc: int
    mlflow: int
    hub_api: int
    traefik_api: int

    @classmethod
    def create(cls, *, host: str, port: int, owner: str) -> PlatformFile:
        """Return a new one with internal ports that are free now."""
        # SeaweedFS's own worker looks for the administration at 10000 above, whatever it is told.
        admin, admin_grpc = ports.choose_pair(10_000)
        names = [name for name in _INTERNAL if not name.startswith("weed_admin")]
        taken = {admin, admin_grpc, port}
        numbers = [n for n in ports.choose(len(names) + len(taken)) if n not in taken]
        return cls(
            host=host,
            port=port,
            owner=owner,
            weed_admin=admin,
            weed_admin_grpc=admin_grpc,
            **dict(zip(names, numbers, strict=False)),
        )

    @classmethod
    def load(cls, layout: Layout) -> PlatformFile:
        """Read it from the data folder.

        Raises
        ------
        NotFoundError
            If no platform was ever started there.
        AutonoeError
            If the file was changed into something that cannot be used (``platform_file``).
        """
        document = read_json(layout.platform_file)
        if document is None and not layout.platform_file.exists():
            raise NotFoundError(
                f"There is no platform in {layout.root}.", hint="Start one with `autonoe up`."
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise AutonoeError(
                f"{layout.platform_file} cannot be used: {error.error_count()} entries are wrong.",
                hint="Restore it from a backup; the data beside it depends on its ports.",
                code="platform_file",
            ) from error

    def save(self, layout: Layout) -> None:
        """Write it into the data folder, readable by every account: it holds no secret."""
        write_json(layout.platform_file, self.model_dump(), mode=0o644)

    @property
    def internal_ports(self) -> dict[str, int]:
        """Name to number of each port of loopback."""
        return {name: getattr(self, name) for name in _INTERNAL}

    @property
    def openbao_url(self) -> str:
        """Address of the secrets store."""
        return f"http://127.0.0.1:{self.openbao}"

    @property
    def s3_url(self) -> str:
        """Address of the object store."""
        return f"http://127.0.0.1:{self.s3}"

    @property
    def mlflow_url(self) -> str:
        """Address of the model registry; it wants a name and a password."""
        return f"http://127.0.0.1:{self.mlflow}"

    @property
    def hub_api_url(self) -> str:
        """Address of the hub's REST API."""
        return f"http://127.0.0.1:{self.hub_api}/hub/api"

    @property
    def traefik_api_url(self) -> str:
        """Address of the proxy's own API."""
        return f"http://127.0.0.1:{self.traefik_api}"

    @property
    def public_name(self) -> str:
        """Name of this machine as a browser should say it."""
        return socket.getfqdn() if self.host in WILDCARDS else self.host

    @property
    def public_url(self) -> str:
        """Address for people, without a slash at the end."""
        name = f"[{self.public_name}]" if ":" in self.public_name else self.public_name
        return f"http://{name}:{self.port}"
