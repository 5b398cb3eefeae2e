"""The hub on a Kubernetes cluster: people's servers as pods, each in its own namespace.

``settings`` is what an administrator writes under ``custom.autonoe`` in the chart's values;
``config`` turns it into the hub's configuration; ``spawner`` starts the pods that ``pod``
describes, in the namespaces that ``tenants`` asks the tenant controller for.
"""
