"""What is prepared in a server before it starts: home, repository, packages, init script.

``python -m autonoe.profiles.start -- jupyterhub-singleuser …`` prepares and then becomes the
command; the embedded platform calls :func:`prepare` in the process that becomes the server. Both
read the ``AUTONOE_PROFILE_*`` variables (:mod:`autonoe.profiles.compile.environment`). Nothing
here may keep a server from starting: each failure is told, and the server starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autonoe.profiles.start import home as homes
from autonoe.profiles.start.report import Report
from autonoe.profiles.start.wanted import Preparation


def prepare(environ: Mapping[str, str]) -> dict[str, str]:
    """Prepare what ``environ`` asks for and return the variables of the server.

    Parameters
    ----------
    environ : mapping of str to str
        Variables of this process.

    Returns
    -------
    dict of str to str
        ``environ`` with what the preparation changed. It never raises because of something that
        an option asked for.
    """
    env = dict(environ)
    home = Path(env.get("HOME") or Path.home())
    wanted = Preparation.read(env)
    state = homes.check(home)
    place = home / ".autonoe"
    if state.writable:
        report = Report(place, title=wanted.title)
    else:
        env, place = homes.redirect(env, home)
        report = Report(place, title=wanted.title)
        report.failed("home", state.message, detail=state.detail)
    if wanted.something:
        # Only now: an ordinary start must not pay for the import of an HTTP client.
        from autonoe.profiles.start import steps

        env = steps.run_all(wanted, env, home, place, report, writable=state.writable)
    return report.finish(env, home if state.writable else None)
