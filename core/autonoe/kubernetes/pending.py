"""Why a pod does not run yet: one answer from the pod, its events and the namespace's quotas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autonoe.errors import InvalidInputError
from autonoe.kubernetes.quantities import human, parse
from autonoe.kubernetes.words import Reason, explain, reason

_SAYS_NOTHING = {"PodInitializing", "ContainerCreating"}


def why_pending(
    pod: Mapping[str, Any] | None,
    events: Iterable[Mapping[str, Any]] = (),
    quotas: Iterable[Mapping[str, Any]] = (),
    *,
    language: str = "en",
) -> Reason:
    """Return the most telling reason why a pod is not ready.

    Parameters
    ----------
    pod : mapping or None
        The pod as the API server returned it; None when it could not be made.
    events : iterable of mapping
        Events about it, its volume claims or its ReplicaSet, in any order. Of the same pod only:
        events of an earlier pod with the same name (another ``involvedObject.uid``) are left out.
    quotas : iterable of mapping
        ResourceQuotas of the namespace; they explain a pod that could not be made.
    language : {"en", "fr"}
        Language of the answer.

    Returns
    -------
    Reason
        Code ``unknown`` with Kubernetes' own text when nothing is known about it.
    """
    recent = _latest_first(events, pod)
    if pod is not None:
        for found in (_ended(pod, language), _containers(pod, language)):
            if found is not None and not found.waiting:
                return found
    for event in recent:
        text = f"{event.get('reason', '')}: {event.get('message', '')}"
        plain = str(event.get("message", ""))
        found = explain(plain, language=language) or explain(text, language=language)
        if found is not None and (event.get("type") == "Warning" or found.waiting):
            return found
    if pod is None:
        return full_quota(quotas, language=language) or _unknown(recent, language)
    return _progress(pod, recent, language)


def full_quota(quotas: Iterable[Mapping[str, Any]], *, language: str = "en") -> Reason | None:
    """Return the first quota of which everything is in use, as a reason; None when none is full."""
    for quota in quotas:
        status = quota.get("status") or {}
        used = status.get("used") or {}
        for resource, limit in (status.get("hard") or {}).items():
            try:
                full = parse(limit) > 0 and parse(used.get(resource, "0")) >= parse(limit)
            except InvalidInputError:
                continue
            if full:
                return reason(
                    "quota_exceeded",
                    language=language,
                    quota=quota["metadata"]["name"],
                    used=human(resource, used[resource]),
                    limited=human(resource, limit),
                    asked={"en": "some", "fr": "un peu"}.get(language, "some"),
                )
    return None


def _latest_first(
    events: Iterable[Mapping[str, Any]], pod: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:
    name = pod and pod["metadata"].get("name")
    uid = pod and pod["metadata"].get("uid")

    def concerns(event: Mapping[str, Any]) -> bool:
        about = event.get("involvedObject") or event.get("regarding") or {}
        same_name = about.get("kind") == "Pod" and about.get("name") == name
        return not (uid and same_name and about.get("uid") and about["uid"] != uid)

    def when(event: Mapping[str, Any]) -> str:
        series = event.get("series") or {}
        times = [series.get("lastObservedTime"), event.get("lastTimestamp")]
        times += [event.get("eventTime"), event.get("firstTimestamp")]
        times.append((event.get("metadata") or {}).get("creationTimestamp"))
        return next((str(time) for time in times if time), "")

    return sorted((event for event in events if concerns(event)), key=when, reverse=True)


def _ended(pod: Mapping[str, Any], language: str) -> Reason | None:
    """Return why the pod as a whole is over or being stopped."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return reason("stopping", language=language)
    if status.get("phase") in {"Failed", "Unknown"}:
        text = " ".join(filter(None, (status.get("reason"), status.get("message"))))
        if text and (found := explain(text, language=language)):
            return found
    return None


def _containers(pod: Mapping[str, Any], language: str) -> Reason | None:
    """Return what the containers' own states say, the worst first."""
    status = pod.get("status") or {}
    states = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for entry in states:
        # A restarted container hides its end in the last state; running out of memory tells most.
        for state in (entry.get("state") or {}, entry.get("lastState") or {}):
            if (state.get("terminated") or {}).get("reason") == "OOMKilled":
                return reason("out_of_memory", technical="OOMKilled", language=language)
    for entry in states:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        short = str(waiting.get("reason") or "")
        if not short or short in _SAYS_NOTHING:
            continue
        text = str(waiting.get("message") or "")
        found = explain(text, language=language) or explain(short, language=language)
        return found or _raw(f"{short}: {text}" if text else short, language)
    for entry in states:
        ended = (entry.get("state") or {}).get("terminated") or {}
        if ended and ended.get("exitCode"):
            text = str(ended.get("message") or ended.get("reason") or "")
            found = explain(text, language=language)
            return found or reason(
                "finished", technical=text, language=language, exit_code=ended["exitCode"]
            )
    return None


def _progress(pod: Mapping[str, Any], events: list[Mapping[str, Any]], language: str) -> Reason:
    """Return how far a pod without any complaint has come."""
    conditions = {row["type"]: row for row in (pod.get("status") or {}).get("conditions") or []}
    if (conditions.get("Ready") or {}).get("status") == "True":
        return reason("running", language=language)
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False" and scheduled.get("message"):
        text = str(scheduled["message"])
        return explain(text, language=language) or _raw(text, language)
    if (pod.get("status") or {}).get("phase") == "Running":
        return reason("starting", language=language)
    if scheduled.get("status") == "True" or (pod.get("spec") or {}).get("nodeName"):
        return reason("scheduled", language=language)
    warnings = [event for event in events if event.get("type") == "Warning"]
    return _unknown(warnings, language) if warnings else reason("queued", language=language)


def _unknown(events: list[Mapping[str, Any]], language: str) -> Reason:
    return _raw(str(events[0].get("message", "")) if events else "", language)


def _raw(text: str, language: str) -> Reason:
    nothing = {"en": "no reason was given", "fr": "sans raison donnée"}.get(language, "")
    return reason("unknown", technical=text, language=language, what=text or nothing)
