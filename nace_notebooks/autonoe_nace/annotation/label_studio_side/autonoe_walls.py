"""The wall between two people's workspaces, at the place that Label Studio has for one.

Its lists are filtered by organisation; a project or task that is named by number is not: the
community edition lets any member in. Tasks, annotations and exports all ask their project.
"""

from __future__ import annotations

from typing import Any

from projects.mixins import ProjectMixin as _OpenProject


class ProjectMixin(_OpenProject):  # type: ignore[misc]  # no types there
    """A project that only its own organisation may touch."""

    def has_permission(self, user: Any) -> bool:
        """Return whether ``user`` works in the organisation of this project now."""
        user.project = self  # Label Studio's activity log reads it
        own = user.active_organization_id
        return own is not None and bool(own == self.organization_id)
