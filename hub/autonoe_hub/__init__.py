"""JupyterHub configuration, spawners, authenticators and hub services."""
