"""Coding of activities to NACE, from raw text to a monitored service."""
