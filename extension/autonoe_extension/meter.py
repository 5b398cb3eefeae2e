"""The meter in Lab's status bar: memory and home disk, by ``jupyter-resource-usage``.

What it is told here: to show the disk that the home folder is on, and that its own polling is no
work. It asks every few seconds for as long as a page is open; counted as activity, that would
keep a forgotten tab's server alive for ever.
"""

from __future__ import annotations

from jupyter_resource_usage.api import ApiHandler, KernelUsageHandler
from traitlets.config import Config

WARN_BELOW = 0.1
"""Share of the disk left from which the meter warns, as :data:`autonoe.home_disk.NEARLY` does."""


def defaults() -> Config:
    """Return the server's settings for the meter."""
    chosen = Config()
    chosen.ResourceUseDisplay.track_disk_usage = True
    chosen.ResourceUseDisplay.disk_warning_threshold = WARN_BELOW
    # The same figures as metrics would be read by nobody: /metrics of a person's server is theirs.
    chosen.ResourceUseDisplay.enable_prometheus_metrics = False
    return chosen


def poll_without_activity() -> None:
    """Let the meter's questions not count as activity of the person."""
    for handler in (ApiHandler, KernelUsageHandler):
        handler._track_activity = False
