"""The configuration is the package autonoe_hub."""

from autonoe_hub.config import configure

configure(get_config())  # noqa: F821  JupyterHub gives it
