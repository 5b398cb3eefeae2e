"""Profiles: what a person can start, described once, compiled to all who show or check it."""
