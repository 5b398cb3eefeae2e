"""How each component of the embedded platform is configured, started and probed."""
