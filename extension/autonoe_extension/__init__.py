"""Jupyter server extension: credentials, platform state and panels."""
