"""The credentials of one account, kept fresh beside the processes that use them."""

from autonoe.credentials.session import session

__all__ = ["session"]
