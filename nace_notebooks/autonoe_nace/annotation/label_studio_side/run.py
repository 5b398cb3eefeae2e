"""What runs inside Label Studio's own environment: its server, and the accounts of its people.

Called as a file by that environment's Python; it imports nothing of Autonoe. Passwords and tokens
come by standard input, never by argument, so that no list of processes shows them.

    run.py serve PORT        migrate the database, serve on loopback until SIGTERM
    run.py people            make or change the accounts that standard input lists
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from typing import Any

_THREADS = 8


def _set_up() -> Any:
    found = find_spec("label_studio")
    assert found is not None  # noqa: S101  this file runs in no other environment
    assert found.origin is not None  # noqa: S101  as above
    sys.path.insert(0, os.path.dirname(found.origin))  # noqa: PTH120  its modules import each other so
    os.environ["DJANGO_SETTINGS_MODULE"] = "label_studio.core.settings.label_studio"
    from django.conf import settings

    # read by the models when they are imported, which the next lines cause
    settings.PROJECT_MIXIN = "autonoe_walls.ProjectMixin"
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    call_command("migrate", "--no-color", verbosity=0)
    return application


def serve(port: int) -> None:
    """Serve on 127.0.0.1:``port``; a port that is taken is an error, not a reason to move on."""
    application = _set_up()
    import waitress

    waitress.serve(
        application,
        host="127.0.0.1",
        port=port,
        threads=_THREADS,
        ident=None,
        max_request_body_size=64 * 1024 * 1024,
    )


def people(rows: list[dict[str, str]]) -> None:
    """Make the accounts of ``rows`` (email, name, password, token), each in a workspace alone.

    Label Studio's community edition knows no roles: who is in an organisation sees all of its
    projects. An organisation for each person is the wall that it does have.
    """
    _set_up()
    from django.db import transaction
    from organizations.models import Organization
    from rest_framework.authtoken.models import Token
    from users.models import User

    for row in rows:
        with transaction.atomic():
            user = User.objects.filter(email=row["email"]).first()
            if user is None:
                user = User.objects.create_user(email=row["email"], password=row["password"])
            user.set_password(row["password"])
            user.username = row["name"][:150]
            user.first_name = row["name"][:150]
            user.is_staff = user.is_superuser = False
            user.allow_newsletters = False
            space = Organization.objects.filter(created_by=user).first()
            if space is None:
                space = Organization.create_organization(
                    created_by=user, title=row["name"], legacy_api_tokens_enabled=True
                )
            user.active_organization = space
            user.save()
            Token.objects.filter(user=user).delete()
            Token.objects.create(user=user, key=row["token"])
    sys.stdout.write(json.dumps({"people": len(rows)}) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        people(json.load(sys.stdin))
