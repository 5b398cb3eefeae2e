"""The configuration is the package autonoe_hub."""

from autonoe_hub.config import configure

configure(c)  # noqa: F821  the chart's own configuration makes it
