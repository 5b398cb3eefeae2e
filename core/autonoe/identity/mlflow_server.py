"""Configuration of a tracking server that is never open, wherever it runs."""

from __future__ import annotations


def auth_config(admin: dict[str, str], *, database_uri: str) -> str:
    """Return the file that ``MLFLOW_AUTH_CONFIG_PATH`` names.

    Parameters
    ----------
    admin : dict
        ``username`` and ``password`` of the administrator.
    database_uri : str
        Where the accounts are kept.

    Returns
    -------
    str
        INI. It holds the password: write it 0600.
    """
    return (
        "[mlflow]\n"
        # A person sees what they made, and what they were given.
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = {database_uri}\n"
        f"admin_username = {admin['username']}\n"
        f"admin_password = {admin['password']}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )


def s3_credentials(keys: dict[str, str]) -> str:
    """Return the AWS credentials file of the server itself. It holds keys: write it 0600."""
    return (
        "[default]\n"
        f"aws_access_key_id = {keys['access_key']}\n"
        f"aws_secret_access_key = {keys['secret_key']}\n"
    )
