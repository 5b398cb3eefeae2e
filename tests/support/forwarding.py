"""A way from this machine to the pods behind a Service of the cluster."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any

import kr8s.asyncio
import requests
from kr8s.asyncio.objects import Service
from kr8s.portforward import PortForward

from autonoe.embedded.ports import choose
from autonoe.waiting import wait_until
from support.cluster import Cluster

_START_S = 30.0
_REMEMBERED = 50


class Forward:
    """A port of this machine, each connection to which is forwarded to a pod by itself.

    ``kubectl port-forward`` carries all connections in one, and ends with "lost connection to pod"
    when a pod resets any of them, as a web server does that closes an idle connection while a
    request is on its way. A browser then loses its kernels' websockets for another page's request.

    It goes through the API server, so that it works on any cluster, and past network policies:
    whoever tests a policy must not use it.

    Parameters
    ----------
    cluster : Cluster
        Where the Service is.
    namespace, service : str
        Which one; its pods may come and go.
    port : int
        Of the pods.
    """

    def __init__(self, cluster: Cluster, namespace: str, service: str, port: int) -> None:
        self.port = choose(1)[0]
        self.broken: deque[str] = deque(maxlen=_REMEMBERED)
        """What the last connections broke with."""
        self._where = (str(cluster.kubeconfig), namespace, service, port)
        self._listens = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._listens.wait(_START_S) or self._failure is not None:
            raise AssertionError(f"no way to {service}") from self._failure

    @property
    def url(self) -> str:
        """Address on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        self._loop.set_exception_handler(self._note)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # the edge of a thread: raised again by whoever waits
            self._failure = error
        finally:
            self._listens.set()
            self._loop.close()

    async def _serve(self) -> None:
        kubeconfig, namespace, service, port = self._where
        with warnings.catch_warnings():
            # It names the newest Kubernetes that its authors have tried.
            warnings.filterwarnings("ignore", message="Kubernetes version .* is not supported")
            api = await kr8s.asyncio.api(kubeconfig=kubeconfig)
        found = await Service.get(service, namespace=namespace, api=api)
        async with PortForward(found, port, self.port):
            self._listens.set()
            await self._closing.wait()
            open_still = asyncio.all_tasks() - {asyncio.current_task()}
            for task in open_still:
                task.cancel()
            await asyncio.gather(*open_still, return_exceptions=True)

    def _note(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        # By its type only: the error of a connection may hold all that was sent over it.
        self.broken.append(type(context.get("exception")).__name__)

    def wait(self, *, timeout_s: float = 60) -> None:
        """Wait until something answers HTTP at the other end, whatever it says."""

        def answers() -> bool:
            return requests.get(self.url, timeout=3, allow_redirects=False).status_code > 0

        wait_until(answers, timeout_s=timeout_s, what=self.url, ignoring=(OSError,))

    def close(self) -> None:
        """End it, and all connections with it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)
