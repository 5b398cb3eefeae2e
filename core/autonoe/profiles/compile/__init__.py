"""One model, many readers: KubeSpawner, the embedded spawner, the panel, the documentation.

:func:`kubespawner` is the static ``profile_list`` (what a pre-puller reads), :func:`overrides` and
:func:`shared_memory` are the settings of one pod, :func:`start_environment` tells the start
wrapper what to prepare, on both platforms alike.
"""

from autonoe.profiles.compile.environment import start_environment
from autonoe.profiles.compile.kubernetes import (
    kubespawner,
    overrides,
    profile_list_yaml,
    shared_memory,
)
from autonoe.profiles.compile.views import docs_page, panel_view, profile_view

__all__ = [
    "docs_page",
    "kubespawner",
    "overrides",
    "panel_view",
    "profile_list_yaml",
    "profile_view",
    "shared_memory",
    "start_environment",
]
