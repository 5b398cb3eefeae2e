"""The dashboard as one HTML file: no server, no network, the slider included."""

from autonoe_nace.monitoring.page.write import write_page

__all__ = ["write_page"]
