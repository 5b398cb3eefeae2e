"""Label Studio's REST interface, as far as a round of annotation needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import urllib3

from autonoe.errors import AutonoeError, UnavailableError

_TIMEOUT = urllib3.Timeout(connect=5, read=120)
_BATCH = 500
"""Tasks sent at once, and tasks asked for at once."""


class LabelStudio:
    """One person's view of the service: their workspace holds their own projects only.

    Parameters
    ----------
    url : str
        Address on this machine, without a slash at the end.
    token : str
        The person's token.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(
            headers={"Authorization": f"Token {token}"}, timeout=_TIMEOUT, retries=False
        )

    def projects(self) -> list[dict[str, Any]]:
        """Return the workspace's projects."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._call("GET", f"/api/projects/?page={page}&page_size=100")
            found += answer["results"]
            if not answer.get("next"):
                return found
            page += 1

    def make_project(self, title: str, description: str, page: str, instruction: str) -> int:
        """Make a project whose labelling page is ``page`` and return its number."""
        made = self._call(
            "POST",
            "/api/projects/",
            {
                "title": title,
                "description": description,
                "label_config": page,
                "expert_instruction": instruction,
                "show_instruction": True,
                # a text that is passed over stays in its own coder's queue
                "skip_queue": "REQUEUE_FOR_ME",
                "show_collab_predictions": False,
                "enable_empty_annotation": False,
                "show_skip_button": True,
                "maximum_annotations": 1,
                "sampling": "Sequential sampling",
                "color": "#3b6fb6",
            },
        )
        return int(made["id"])

    def add_tasks(self, project: int, tasks: Sequence[dict[str, Any]]) -> None:
        """Add tasks to a project, in this order."""
        for start in range(0, len(tasks), _BATCH):
            rows = [{"data": task} for task in tasks[start : start + _BATCH]]
            self._call("POST", f"/api/projects/{project}/import", rows)

    def tasks(self, project: int) -> Iterator[dict[str, Any]]:
        """Yield all tasks of a project with what people said about them."""
        yield from self._call(
            "GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
        )

    def annotate(self, task: int, result: list[dict[str, Any]], *, lead_time_s: float = 0.0) -> int:
        """Say something about a task, as its page would; return the number of what was said."""
        body = {"result": result, "lead_time": lead_time_s}
        return int(self._call("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        options = {} if body is None else {"json": body}
        try:
            answer = self._pool.request(method, f"{self.url}{path}", **options)
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                f"Label Studio does not answer ({type(error).__name__}).",
                hint="autonoe nace annotate start",
            ) from error
        if answer.status >= 400:
            raise AutonoeError(
                f"Label Studio refused {method} {path.split('?')[0]} ({answer.status}).",
                hint="Its log says more; `autonoe nace annotate status` names it.",
            )
        return answer.json() if answer.data else None
