"""A way from this machine to a Service of the cluster that outlives the pods behind it."""

from __future__ import annotations

import subprocess
import threading
import time

import requests

from autonoe.embedded.ports import choose
from autonoe.waiting import wait_until
from support.cluster import Cluster


class Forward:
    """``kubectl port-forward`` to one Service, started again whenever its pod goes.

    It goes through the API server, so that it works on any cluster, and past network policies:
    whoever tests a policy must not use it.

    Parameters
    ----------
    cluster : Cluster
        Where the Service is.
    namespace, service : str
        Which one.
    port : int
        Of the Service.
    """

    def __init__(self, cluster: Cluster, namespace: str, service: str, port: int) -> None:
        self.port = choose(1)[0]
        self._command = [
            *(cluster.tool("kubectl"), f"--kubeconfig={cluster.kubeconfig}", "port-forward"),
            *(f"--namespace={namespace}", f"service/{service}", f"{self.port}:{port}"),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Address on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def _keep(self) -> None:
        while not self._closed.is_set():
            began = time.monotonic()
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self._process.wait()
            # Not at full speed while there is no pod to go to.
            self._closed.wait(max(0.0, 0.3 - (time.monotonic() - began)))

    def wait(self, *, timeout_s: float = 60) -> None:
        """Wait until something answers HTTP at the other end, whatever it says."""

        def answers() -> bool:
            return requests.get(self.url, timeout=3, allow_redirects=False).status_code > 0

        wait_until(answers, timeout_s=timeout_s, what=self.url, ignoring=(OSError,))

    def close(self) -> None:
        """End it."""
        self._closed.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(10)
