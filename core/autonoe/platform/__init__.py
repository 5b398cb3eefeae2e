"""The companions of a hub on Kubernetes: which charts, in which order, with which values."""
