"""A one-node Kubernetes from source, for tests: no Docker, no image registry, nothing left behind.

``python -m tests.testbed up`` builds what is missing (25 minutes, once), then starts it in seconds.
"""
