"""The dashboard as one HTML file: no server, no network, the slider included."""

from autonoe_nace.monitoring.page.contents import Asked
from autonoe_nace.monitoring.page.write import write_page

__all__ = ["Asked", "write_page"]
