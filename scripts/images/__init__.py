"""Build the container images: ``python -m scripts.images``, or ``make images``.

The Dockerfiles in ``images/`` are ordinary ones; this package adds what they leave to their
surroundings: the wheel, the order, what need not be built again, the package settings of the
machine, an archive that a node without a registry can load, a bill of materials, and a check that
nothing of the machine stayed inside.
"""
