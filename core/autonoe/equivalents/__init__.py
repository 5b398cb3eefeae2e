"""Actions as typed requests, from which come the call and all the ways to write it by hand.

For a panel: take a request, run it with :meth:`Request.call`, and show :meth:`Request.forms`, a
list of :class:`Form` (``label``, ``language``, ``text``)::

    from autonoe import equivalents
    request = equivalents.list_objects("user-ana", prefix="data/")
    request.title            # "List the objects of user-ana"
    request.call()           # what boto3 returns, made with the kernel's credentials
    request.forms()          # Python, AWS CLI; for secrets Python, bao, vault

The requests: :func:`list_buckets`, :func:`list_objects`, :func:`put_object`, :func:`get_object`,
:func:`remove_object`, :func:`read_secret`, :func:`write_secret`, :func:`list_secrets` and
:func:`who_am_i`. There is no second place where one of these commands is written.
"""

from autonoe.equivalents.base import Form, Request
from autonoe.equivalents.s3 import (
    get_object,
    list_buckets,
    list_objects,
    put_object,
    remove_object,
)
from autonoe.equivalents.secrets import list_secrets, read_secret, who_am_i, write_secret

__all__ = [
    "Form",
    "Request",
    "get_object",
    "list_buckets",
    "list_objects",
    "list_secrets",
    "put_object",
    "read_secret",
    "remove_object",
    "who_am_i",
    "write_secret",
]
