"""Kubernetes as the rest of the library sees it: a client, labels, ownership, events in words."""
