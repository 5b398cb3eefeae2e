"""Where things run: one interface, one implementation per mode of the platform."""

from autonoe.backends.base import Deployment, DeploymentBackend, DeploymentRequest
from autonoe.backends.choice import backend
from autonoe.backends.keys import DeploymentKey, KeyRequest

__all__ = [
    "Deployment",
    "DeploymentBackend",
    "DeploymentKey",
    "DeploymentRequest",
    "KeyRequest",
    "backend",
]
