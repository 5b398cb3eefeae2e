"""A Kubernetes cluster behind seven verbs that take and return plain dicts.

The official client does what is hard (kubeconfig, login plugins, certificates, a token that
rotates); its generated models stay out. Each call has a timeout, and each refusal is one of ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autonoe.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from autonoe.kubernetes.errors import from_answer
from autonoe.kubernetes.labels import MANAGER, selector
from autonoe.kubernetes.resources import BY_KIND, KNOWN, Resource

Object = dict[str, Any]
_Query = list[tuple[str, str]]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class Cluster:
    """The API server of one cluster, as one identity.

    Parameters
    ----------
    api : kubernetes.client.ApiClient
        Made by `connect`.
    timeout_s : float
        Seconds that one call may take.
    """

    def __init__(self, api: Any, *, timeout_s: float = 30) -> None:
        self.api = api
        self.timeout_s = timeout_s
        self._discovered: dict[tuple[str, str], Resource] = {}

    @classmethod
    def connect(
        cls,
        kubeconfig: str | Path | None = None,
        *,
        context: str | None = None,
        token: str = "",
        timeout_s: float = 30,
    ) -> Cluster:
        """Connect as a pod when this is one, else with a kubeconfig.

        Parameters
        ----------
        kubeconfig : path, optional
            Default: the pod's own ServiceAccount, then ``KUBECONFIG``, then ``~/.kube/config``.
        context : str, optional
            Context of the kubeconfig; default its current one.
        token : str, optional
            Log in with this bearer token instead of what the kubeconfig says.
        timeout_s : float
            Seconds that each call may take.

        Raises
        ------
        InvalidInputError
            If there is no usable kubeconfig.
        """
        # The client takes a second to import, and most programs of ours never need it.
        from kubernetes import client, config

        configuration = client.Configuration()
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and _SERVICE_ACCOUNT.exists()
        try:
            if kubeconfig is None and context is None and in_pod:
                config.load_incluster_config(client_configuration=configuration)
            else:
                config.load_kube_config(
                    config_file=None if kubeconfig is None else str(kubeconfig),
                    context=context,
                    client_configuration=configuration,
                )
        except (config.ConfigException, OSError) as error:
            raise InvalidInputError(
                f"There is no usable cluster login: {error}",
                hint="Set KUBECONFIG to the file that your cluster's administrator gave you.",
                code="no_cluster_login",
            ) from error
        # Own retries hide a slow API server behind three times the timeout.
        configuration.retries = False
        if token:
            configuration.cert_file = configuration.key_file = None
            configuration.username = configuration.password = None
            configuration.refresh_api_key_hook = None
            configuration.api_key = {"authorization": f"Bearer {token}"}
        return cls(client.ApiClient(configuration), timeout_s=timeout_s)

    # -- reading ----------------------------------------------------------------------------

    def get(self, kind: str | Resource, name: str, namespace: str = "") -> Object:
        """Return one object.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        return self._call("GET", self.resource(kind).path(namespace, name))

    def find(self, kind: str | Resource, name: str, namespace: str = "") -> Object | None:
        """Return one object, or None when there is none."""
        try:
            return self.get(kind, name, namespace)
        except NotFoundError:
            return None

    def list(
        self,
        kind: str | Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | str = "",
        fields: str = "",
    ) -> list[Object]:
        """Return all objects of a kind, in one namespace or in all, that the labels fit."""
        resource = self.resource(kind)
        answer = self._call(
            "GET", resource.path(namespace), query=_query(labels=labels, fields=fields)
        )
        # Items of a list come without what they are.
        known = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [known | item for item in answer.get("items") or []]

    def watch(
        self,
        kind: str | Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | str = "",
        timeout_s: int = 60,
    ) -> Iterator[tuple[str, Object]]:
        """Yield what exists, then each change, as (``ADDED|MODIFIED|DELETED``, object).

        It ends after ``timeout_s`` seconds; whoever wants more asks again.
        """
        resource = self.resource(kind)
        query = [*_query(labels=labels), ("watch", "true"), ("timeoutSeconds", str(timeout_s))]
        response = self._send(
            "GET", resource.path(namespace), query=query, read_s=timeout_s + 10, stream=True
        )
        try:
            yield from _events(response)
        finally:
            response.close()
            response.release_conn()

    # -- writing ----------------------------------------------------------------------------

    def create(self, found: Object, *, dry_run: bool = False) -> Object:
        """Make an object that must not exist yet.

        Raises
        ------
        ConflictError
            If it exists.
        """
        path = self.resource_of(found).path(found["metadata"].get("namespace", ""))
        return self._call("POST", path, body=found, query=_query(dry_run=dry_run))

    def apply(self, found: Object, *, force: bool = True, dry_run: bool = False) -> Object:
        """Make an object, or bring the one that exists in line (server-side apply).

        Parameters
        ----------
        found : dict
            The wanted object, with the fields that we own and no others.
        force : bool
            Take over fields that somebody else wrote.
        dry_run : bool
            Only ask what would come of it.
        """
        query = [*_query(dry_run=dry_run), ("fieldManager", MANAGER), ("force", str(force).lower())]
        return self._call(
            "PATCH", self._path_of(found), body=found, query=query, content_type=_APPLY
        )

    def replace(self, found: Object) -> Object:
        """Overwrite a whole object; fields that are not given are gone afterwards."""
        return self._call("PUT", self._path_of(found), body=found)

    def merge(
        self,
        kind: str | Resource,
        name: str,
        change: Object,
        namespace: str = "",
        *,
        subresource: str = "",
    ) -> Object:
        """Change some fields of an object (a JSON merge patch); None removes a field."""
        path = self.resource(kind).path(namespace, name)
        path += f"/{subresource}" if subresource else ""
        return self._call("PATCH", path, body=change, content_type=_MERGE)

    def delete(
        self,
        kind: str | Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        grace_s: int | None = None,
    ) -> bool:
        """Delete an object and, in the background, what it owns. False when there was none.

        Parameters
        ----------
        kind, name, namespace : str
            Which one.
        uid : str
            Delete only this very object, not a later one of the same name.
        grace_s : int, optional
            Seconds that a pod gets to end; default its own.

        Raises
        ------
        ConflictError
            If the object is another one than ``uid``.
        """
        body: Object = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        try:
            self._call("DELETE", self.resource(kind).path(namespace, name), body=body)
        except NotFoundError:
            return False
        return True

    def ask(self, found: Object) -> Object:
        """Post one of the objects that are questions, such as a SelfSubjectAccessReview."""
        resource = Resource(found["apiVersion"], found["kind"], f"{found['kind'].lower()}s", False)
        return self.post(resource.path(), found)

    def post(self, path: str, body: Object) -> Object:
        """Post ``body`` to a path of the API: subresources such as a token or an eviction."""
        return self._call("POST", path, body=body)

    # -- kinds ------------------------------------------------------------------------------

    def resource(self, kind: str | Resource) -> Resource:
        """Return where ``kind`` lives.

        Raises
        ------
        InvalidInputError
            If it is none of the usual kinds; give a `Resource` then.
        """
        if isinstance(kind, Resource):
            return kind
        if kind not in BY_KIND:
            raise InvalidInputError(f"{kind!r} is no kind that is known here.")
        return BY_KIND[kind]

    def resource_of(self, found: Object) -> Resource:
        """Return where an object lives; the API server is asked for kinds of other projects.

        Raises
        ------
        NotFoundError
            If the cluster does not know the kind, as when its definition is not installed.
        """
        key = (str(found["apiVersion"]), str(found["kind"]))
        if key in KNOWN:
            return KNOWN[key]
        if key not in self._discovered:
            root = Resource(key[0], "", "").path().rstrip("/")
            for row in self._call("GET", root).get("resources", []):
                if "/" not in row["name"]:
                    self._discovered[key[0], row["kind"]] = Resource(
                        key[0], row["kind"], row["name"], row["namespaced"]
                    )
        if key not in self._discovered:
            raise NotFoundError(f"The cluster does not know {key[1]} of {key[0]}.")
        return self._discovered[key]

    def _path_of(self, found: Object) -> str:
        metadata = found["metadata"]
        return self.resource_of(found).path(metadata.get("namespace", ""), metadata["name"])

    # -- one call ---------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        query: _Query | None = None,
        content_type: str = "application/json",
    ) -> Object:
        response = self._send(method, path, body=body, query=query, content_type=content_type)
        return dict(json.loads(response.data)) if response.data else {}

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        query: _Query | None = None,
        content_type: str = "application/json",
        read_s: float | None = None,
        stream: bool = False,
    ) -> Any:
        import urllib3
        from kubernetes.client.exceptions import ApiException

        doing = f"{method} {path}"
        headers = {"Accept": "application/json", "Content-Type": content_type}
        auth: dict[str, str] = {}
        self.api.update_params_for_auth(headers, auth, ["BearerToken"])
        try:
            response = self.api.rest_client.request(
                method,
                f"{self.api.configuration.host}{path}",
                query_params=query or [],
                headers=headers,
                body=body,
                _preload_content=False,
                _request_timeout=(min(5, self.timeout_s), read_s or self.timeout_s),
            )
        except ApiException as error:
            raise from_answer(error.status or 0, error.body or str(error.reason), doing) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(
                f"The cluster did not answer: {doing}: {type(error).__name__}",
                hint="It may be restarting. Try again in a moment.",
                code="cluster_unavailable",
            ) from error
        if not 200 <= response.status < 300:
            raise from_answer(response.status, response.data, doing)
        if not stream:
            response.data  # noqa: B018  reads to the end, so that the connection is free again
        return response


def _query(
    *, labels: Mapping[str, str] | str = "", fields: str = "", dry_run: bool = False
) -> _Query:
    text = labels if isinstance(labels, str) else selector(labels)
    pairs = [("labelSelector", text), ("fieldSelector", fields)]
    return [pair for pair in pairs if pair[1]] + ([("dryRun", "All")] if dry_run else [])


def _events(response: Any) -> Iterator[tuple[str, Object]]:
    """Yield what a watch sends, a JSON document a line."""
    import urllib3

    rest = b""
    try:
        for chunk in response.stream(amt=None, decode_content=True):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in filter(None, lines):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ConflictError(
                        f"The watch ended: {event['object'].get('message', 'no reason given')}",
                        code="watch_ended",
                    )
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnavailableError("The watch broke off.", code="cluster_unavailable") from error
