from autonoe_hub.config import configure  # noqa: D100  two lines, by design

configure(get_config())  # type: ignore[name-defined]  # noqa: F821  JupyterHub gives it
