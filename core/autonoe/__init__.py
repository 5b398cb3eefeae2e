"""Autonoe: a technical binder that wires well-kept engines together, and that can be removed."""

__version__ = "0.1.0"
