"""Where things run: one interface, one implementation per mode of the platform."""

from autonoe.backends.base import Deployment, DeploymentBackend, DeploymentRequest
from autonoe.backends.choice import backend

__all__ = ["Deployment", "DeploymentBackend", "DeploymentRequest", "backend"]
