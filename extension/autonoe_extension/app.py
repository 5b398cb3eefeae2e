"""The server extension: its defaults, its handlers, and the life of the credential agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Type
from traitlets.config import Config

from autonoe_extension import meter, proxies
from autonoe_extension.activity import ActivityKeeper
from autonoe_extension.examples import install_examples
from autonoe_extension.handlers import ClosedPortHandler, ProfileHandler, StatusHandler
from autonoe_extension.manager import PlatformManager

KERNEL = "autonoe-python"
"""Name of the kernelspec that ``autonoe_kernels`` carries; chosen for new notebooks if found."""


class AutonoeExtension(ExtensionApp):
    """Connects a Jupyter server, its kernels and its terminals to the platform."""

    name = "autonoe_extension"

    manager_class = Type(
        default_value=PlatformManager,
        klass=PlatformManager,
        help="The manager that owns the credential agent.",
    ).tag(config=True)

    open_ports = Bool(
        False,
        help="Serve /proxy/PORT/. Only where nobody else has an account on the machine: what "
        "listens on that port acts as the person who opens the page.",
    ).tag(config=True)

    manager: PlatformManager
    activity: ActivityKeeper | None = None
    _background: asyncio.Task[None] | None = None

    def load_config_file(self, suppress_errors: bool = True) -> None:  # type: ignore[override]
        """Load this extension's configuration on top of its defaults for the whole server.

        The server merges them before it makes its kernel manager, and what an administrator or the
        person configured wins over all of them.
        """
        self.update_config(_server_defaults())
        self.update_config(meter.defaults())
        super().load_config_file(suppress_errors)

    def initialize_settings(self) -> None:
        """Start the agent, which returns at once whether the platform answers or not."""
        assert self.serverapp is not None  # noqa: S101  ExtensionApp.initialize checked it
        self.manager = self.manager_class(parent=self.serverapp)
        self.manager.start()
        self.settings["autonoe_manager"] = self.manager
        meter.poll_without_activity()
        # `jupyter_server_proxy` loads after this extension (by name) and reads it from there.
        self.serverapp.update_config(proxies.server_config(self.manager.agent))

    def initialize_handlers(self) -> None:
        """Add the REST routes below ``/autonoe``, and close the ports of the machine."""
        self.handlers.append((r"/autonoe/status", StatusHandler))
        self.handlers.append((r"/autonoe/profile", ProfileHandler))
        if not self.open_ports:
            self.handlers.append((r"/proxy/.*", ClosedPortHandler))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Copy the example notebooks beside the running server, which does not wait for it."""
        self.activity = ActivityKeeper(serverapp)
        self.activity.start()
        self._background = asyncio.create_task(
            asyncio.to_thread(install_examples, serverapp.root_dir, self.log)
        )

    async def stop_extension(self) -> None:
        """Stop the agent, so that no thread or token outlives the server."""
        if self.activity is not None:
            self.activity.stop()
        if self._background is not None:
            self._background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._background
        await asyncio.to_thread(self.manager.stop)


def _server_defaults() -> Config:
    defaults = Config()
    defaults.KernelProvisionerFactory.default_provisioner_name = "autonoe-provisioner"
    defaults.TerminalsExtensionApp.terminal_manager_class = (
        "autonoe_extension.terminals.AgentTerminalManager"
    )
    # Kernels publish their output on loopback ports: without a key, any account of this machine
    # could subscribe to it. Kernels that know no encryption start as before.
    defaults.KernelManager.transport_encryption = "auto"
    # Named servers, such as mlflow, are not hosts.
    defaults.ServerProxy.host_allowlist = []
    # By name only: reading a spec would make the provisioner factory before it is configured.
    installed = KernelSpecManager().find_kernel_specs()
    for kernel in (os.environ.get("AUTONOE_PROFILE_KERNEL", ""), KERNEL):
        if kernel in installed:
            defaults.MultiKernelManager.default_kernel_name = kernel
            break
    return defaults
