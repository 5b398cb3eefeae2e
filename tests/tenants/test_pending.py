"""Why a pod waits: one answer from the pod, its events and the quotas."""

from __future__ import annotations

from typing import Any

from autonoe.kubernetes.pending import full_quota, why_pending

UID = "6d1f"
MEMORY = "0/1 nodes are available: 1 Insufficient memory."


def _pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "jupyter", "uid": UID}, "spec": {}, "status": status}


def _event(message: str, *, at: int = 0, type: str = "Warning", uid: str = UID) -> dict[str, Any]:
    return {
        "type": type,
        "reason": "FailedScheduling",
        "message": message,
        "lastTimestamp": f"2026-11-22T20:00:{at:02d}Z",
        "involvedObject": {"kind": "Pod", "name": "jupyter", "uid": uid},
    }


def _waiting(reason: str, message: str = "", **entry: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return _pod(phase="Pending", containerStatuses=[{"name": "notebook", "state": state, **entry}])


def test_the_newest_event_decides() -> None:
    events = [
        _event("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", at=1),
        _event(MEMORY, at=9),
        _event("0/1 nodes are available: 1 Insufficient cpu.", at=5),
    ]
    found = why_pending(_pod(phase="Pending"), events)
    assert found.code == "no_memory"
    assert not found.waiting


def test_an_event_without_a_last_time_counts_by_the_others() -> None:
    newest = _event(MEMORY) | {"lastTimestamp": None, "eventTime": "2026-11-22T20:01:00Z"}
    older = _event("0/1 nodes are available: 1 Insufficient cpu.", at=30)
    assert why_pending(_pod(phase="Pending"), [older, newest]).code == "no_memory"


def test_events_of_an_earlier_pod_of_the_same_name_do_not_count() -> None:
    assert why_pending(_pod(phase="Pending"), [_event(MEMORY, uid="old")]).code == "queued"


def test_events_of_the_volume_claim_count() -> None:
    claim = _event('storageclass.storage.k8s.io "fast" not found') | {
        "involvedObject": {"kind": "PersistentVolumeClaim", "name": "home", "uid": "x"}
    }
    assert why_pending(_pod(phase="Pending"), [claim]).code == "storage_class_missing"


def test_the_container_knows_better_than_old_events() -> None:
    message = 'Back-off pulling image "a": ErrImagePull: 401 Unauthorized'
    found = why_pending(_waiting("ImagePullBackOff", message), [_event(MEMORY, at=1)])
    assert found.code == "image_forbidden"


def test_a_crash_for_lack_of_memory_is_told_as_that() -> None:
    pod = _waiting(
        "CrashLoopBackOff",
        "back-off 10s restarting failed container=notebook",
        lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    )
    assert why_pending(pod).code == "out_of_memory"


def test_an_init_container_that_failed_is_told() -> None:
    state = {"terminated": {"exitCode": 3, "reason": "Error"}}
    found = why_pending(_pod(phase="Pending", initContainerStatuses=[{"state": state}]))
    assert found.code == "finished"
    assert "exit code 3" in found.message


def test_an_evicted_pod_is_told() -> None:
    pod = _pod(
        phase="Failed",
        reason="Evicted",
        message="The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi",
    )
    found = why_pending(pod)
    assert found.code == "evicted"
    assert "ephemeral-storage" in found.message


def test_an_unknown_state_of_a_container_is_shown_as_it_is() -> None:
    found = why_pending(_waiting("CreateContainerError", "the moon is full"))
    assert found.code == "unknown"
    assert "the moon is full" in found.message


def test_progress_is_no_fault() -> None:
    placed = {"type": "PodScheduled", "status": "True"}
    ready = {"type": "Ready", "status": "True"}
    pulling = _event('Pulling image "a:1"', type="Normal", at=3)
    stages = {
        "queued": why_pending(_pod(phase="Pending")),
        "scheduled": why_pending(_pod(phase="Pending", conditions=[placed])),
        "image_pulling": why_pending(_pod(phase="Pending", conditions=[placed]), [pulling]),
        "starting": why_pending(_pod(phase="Running", conditions=[placed])),
        "running": why_pending(_pod(phase="Running", conditions=[placed, ready])),
    }
    for code, found in stages.items():
        assert found.code == code
        assert found.waiting


def test_the_condition_speaks_when_events_are_gone() -> None:
    """Events last an hour, and conditions as long as the pod."""
    row = {"type": "PodScheduled", "status": "False", "message": MEMORY}
    assert why_pending(_pod(phase="Pending", conditions=[row])).code == "no_memory"


def test_a_pod_that_is_being_deleted_is_told() -> None:
    pod = _pod(phase="Running")
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T20:00:00Z"
    assert why_pending(pod).code == "stopping"


def _quota(used: str, hard: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "compute"},
        "status": {"hard": {"limits.cpu": hard, "pods": "20"}, "used": {"limits.cpu": used}},
    }


def test_without_a_pod_a_full_quota_explains() -> None:
    found = why_pending(None, [], [_quota("8", "8000m")])
    assert found.code == "quota_exceeded"
    assert "'compute'" in found.message
    assert "8 CPUs" in found.message


def test_a_quota_of_nothing_is_not_a_full_one() -> None:
    assert full_quota([_quota("0", "0")]) is None
    assert full_quota([_quota("1", "8")]) is None


def test_a_replica_set_that_may_not_make_pods_is_explained() -> None:
    message = (
        'Error creating: pods "a-" is forbidden: exceeded quota: compute, requested: pods=1, '
        "used: pods=20, limited: pods=20"
    )
    event = _event(message) | {"involvedObject": {"kind": "ReplicaSet", "name": "a"}}
    assert why_pending(None, [event]).code == "quota_exceeded"


def test_french() -> None:
    found = why_pending(_pod(phase="Pending"), [_event(MEMORY)], language="fr")
    assert found.message == "Aucune machine n'a assez de mémoire libre."
