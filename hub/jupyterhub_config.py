from autonoe_hub.config import configure

configure(get_config())  # noqa: F821  JupyterHub puts get_config there
