"""KubeSpawner's watches: revived when they gave up, ended when nothing is left to watch.

Without a right over the whole cluster each namespace is watched by itself. KubeSpawner keeps such
a watch for ever, and one that failed for half a minute stays dead in silence: its servers would
look running, or gone, until the hub restarts.
"""

from __future__ import annotations

from typing import Any


def is_dead(reflector: Any | None) -> bool:
    """Return whether a watch was started and has ended for good."""
    if reflector is None or not reflector.first_load_future.done():
        return False
    if reflector.first_load_future.cancelled() or reflector.first_load_future.exception():
        return True
    task = reflector.watch_task
    return task is not None and task.done()


def forget_failed(reflectors: dict[Any, Any], key: Any) -> None:
    """Drop a watch whose first list was refused, as before its namespace existed.

    KubeSpawner would await its failed first list for ever after, and fail each later start.
    """
    found = reflectors.get(key)
    if found is not None and found.watch_task is None and is_dead(found):
        reflectors.pop(key, None)


async def release(spawner: Any) -> None:
    """End the watch of a namespace in which no server of the owner is active any more."""
    others = [found for found in spawner.user.spawners.values() if found is not spawner]
    if any(found.active for found in others):
        return
    reflector = spawner.reflectors.pop(spawner._get_reflector_key("pods"), None)
    if reflector is not None:
        await reflector.stop()
