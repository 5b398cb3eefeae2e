"""What the scheduler, the kubelet and admission say, in the words of the person who waits.

Pure: text in, `Reason` out. The patterns are matched against messages as Kubernetes 1.33 to 1.37
write them; tests hold a corpus of them. A message that is not known is never hidden: callers show
it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autonoe.errors import InvalidInputError
from autonoe.kubernetes import texts
from autonoe.kubernetes.quantities import human


@dataclass(frozen=True)
class Reason:
    """Why something does not run, and what to do about it."""

    code: str
    """Stable identifier in ``snake_case``."""
    message: str
    """One sentence, without technical terms."""
    hint: str
    """The next step for the person who reads it."""
    technical: str = ""
    """What Kubernetes said; shown one click away."""
    waiting: bool = field(default=False, compare=False)
    """It can pass by itself: no fault yet."""

    def as_dict(self) -> dict[str, str | bool]:
        """Return it as a plain document, for a page or a panel."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "technical": self.technical,
            "waiting": self.waiting,
        }


def reason(code: str, *, technical: str = "", language: str = "en", **values: object) -> Reason:
    """Return the reason ``code`` in ``language``, with its values filled in."""
    message, hint = texts.TEXTS[code].get(language) or texts.TEXTS[code]["en"]
    return Reason(
        code=code,
        message=message.format_map(_Values(values)),
        hint=hint.format_map(_Values(values)),
        technical=technical,
        waiting=code in texts.WAITING,
    )


def explain(message: str, *, language: str = "en") -> Reason | None:
    """Return what a message of Kubernetes means, or None when it is none that is known.

    Parameters
    ----------
    message : str
        The text of an event, of a container's state, or of an API server's refusal.
    language : {"en", "fr"}
        Language of the answer; another one gives English.
    """
    for code, pattern, values in _RULES:
        if match := pattern.search(message):
            found = values(match) if values else match.groupdict()
            chosen = str(found.pop("code", code))
            return reason(chosen, technical=message, language=language, **found)
    return None


class _Values(dict[str, object]):
    """A value that a message did not carry is left out, never an error on the way to an error."""

    def __missing__(self, key: str) -> str:
        return ""


def _amounts(text: str) -> dict[str, str]:
    """Return ``limits.memory=8Gi,pods=1`` as name to readable amount."""
    found = {}
    for part in text.split(","):
        name, _, quantity = part.strip().partition("=")
        if not quantity:
            continue
        try:
            found[name] = human(name, quantity)
        except InvalidInputError:
            found[name] = quantity
    return found


def _quota(match: re.Match[str]) -> dict[str, object]:
    asked, used, limited = (_amounts(match[key]) for key in ("requested", "used", "limited"))
    first = next(iter(asked), "")
    return {
        "quota": match["quota"],
        "asked": ", ".join(asked.values()),
        "used": used.get(first, ""),
        "limited": limited.get(first, ""),
        "resource": first,
    }


def _pressure(match: re.Match[str]) -> dict[str, object]:
    kind = match["pressure"].lower()
    return {"code": "disk_pressure" if "disk" in kind or "storage" in kind else "memory_pressure"}


def _forbidden_parts(match: re.Match[str]) -> dict[str, object]:
    # Each violation is "short name (explanation)"; the short names are what a reader can look up.
    names = re.findall(r"(?:^|, )([^,(]+?) \(", match["parts"])
    return {"level": match["level"], "parts": ", ".join(names) or match["parts"]}


_Values_of = Callable[[re.Match[str]], dict[str, object]]


def _rule(
    code: str, pattern: str, values: _Values_of | None = None
) -> tuple[str, re.Pattern[str], _Values_of | None]:
    return code, re.compile(pattern, re.IGNORECASE | re.DOTALL), values


_Q = r"[\"'`]?"
# The first that fits wins, so the particular ones stand before the general ones.
_RULES = [
    # admission
    _rule(
        "quota_exceeded",
        r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.+?), used: (?P<used>.+?), "
        r"limited: (?P<limited>[^\s]+)",
        _quota,
    ),
    _rule(
        "quota_needs_limits",
        r"failed quota: (?P<quota>[^:]+): must specify (?P<what>[^;\n]+)",
    ),
    _rule(
        "pod_security",
        rf"violates PodSecurity {_Q}(?P<level>[\w:.]+){_Q}: (?P<parts>.+)",
        _forbidden_parts,
    ),
    _rule(
        "limit_exceeded",
        r"(?:maximum|minimum) (?P<resource>[\w./-]+) (?:usage )?per (?P<per>\w+) is "
        r"(?P<limit>[\w.]+)",
    ),
    _rule(
        "policy_refused",
        r"ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']+' denied request: "
        r"(?P<why>.+)",
    ),
    _rule("account_missing", r"serviceaccount \\?\"(?P<name>[^\"\\]+)\\?\" not found"),
    _rule("namespace_ending", r"because it is being terminated"),
    _rule("namespace_missing", r"namespaces \\?\"(?P<name>[^\"\\]+)\\?\" not found"),
    # volumes
    _rule("volume_in_use", r"Multi-Attach error|already exclusively attached|already used by pod"),
    _rule("storage_class_missing", r"storageclass\S* \"(?P<name>[^\"]+)\" not found"),
    _rule("volume_missing", r"persistentvolumeclaim \"(?P<name>[^\"]+)\" not found"),
    _rule("volume_lost", r"bound to non-existent persistentvolume|has been lost"),
    _rule("volume_unbound", r"unbound (?:immediate )?PersistentVolumeClaims?"),
    _rule("volume_unbound", r"didn't find available persistent volumes to bind"),
    _rule(
        "volume_waiting",
        r"waiting for first consumer|Waiting for a volume to be created|waiting for pod .* to be "
        r"scheduled",
    ),
    _rule("volume_elsewhere", r"volume node affinity conflict"),
    _rule("volume_limit", r"exceed max volume count"),
    _rule("disk_full", r"no space left on device|disk quota exceeded"),
    _rule("provisioning_failed", r"failed to provision volume|ProvisioningFailed"),
    _rule(
        "config_missing",
        r"(?P<what>configmap|secret) \"(?P<name>[^\"]+)\" not found",
    ),
    _rule(
        "config_missing",
        r"couldn't find key (?P<name>\S+) in (?P<what>ConfigMap|Secret)",
    ),
    _rule("volume_slow", r"Unable to attach or mount volumes|MountVolume\.\S+ failed"),
    # images
    _rule(
        "image_forbidden",
        r"pull access denied|insufficient_scope|unauthorized: |authentication required"
        r"|401 Unauthorized|403 Forbidden",
    ),
    _rule("image_limit", r"toomanyrequests|429 Too Many Requests|pull QPS exceeded"),
    _rule(
        "image_absent",
        r"Container image \"(?P<image>[^\"]+)\" is not present with pull policy of Never"
        r"|ErrImageNeverPull",
    ),
    _rule("image_name", r"InvalidImageName|couldn't parse image|invalid reference format"),
    _rule("image_platform", r"no match for platform|exec format error"),
    _rule(
        "image_unreachable",
        r"(?:pull|resolve|image).*(?:no such host|i/o timeout|connection refused|connection reset"
        r"|TLS handshake|deadline exceeded|x509)",
    ),
    _rule(
        "image_missing",
        r"(?:Failed to pull image|rpc error).*?(?:not found|manifest unknown|does not exist)",
    ),
    _rule("image_pulling", r"^Pulling image \"(?P<image>[^\"]+)\""),
    _rule(
        "image_failed",
        r"Back-off pulling image(?: \"(?P<image>[^\"]+)\")?|ImagePullBackOff|ErrImagePull"
        r"|Failed to pull image",
    ),
    # the node ends it
    _rule(
        "storage_exceeded",
        r"ephemeral local storage usage exceeds|exceeded its local ephemeral storage limit",
    ),
    _rule(
        "evicted",
        r"The node (?:was low on resource: |had condition: \[)(?P<resource>[\w-]+)",
    ),
    _rule("preempted", r"^Preempted (?:by|in order)"),
    _rule("out_of_memory", r"OOMKilled|OOMKilling|Memory cgroup out of memory"),
    _rule("node_lost", r"Node is not ready|NodeLost|node(?:\(s\))? .*unreachable"),
    # the container does not start
    _rule(
        "runs_as_root",
        r"runAsNonRoot and image (?:will run as root|has non-numeric user)",
    ),
    _rule("command_missing", r"executable file not found|no such file or directory: unknown"),
    _rule("sandbox_failed", r"Failed to create pod sandbox|FailedCreatePodSandBox"),
    _rule("crashing", r"Back-off restarting failed container|back-off \S+ restarting failed"),
    # scheduling: what is most telling first
    _rule(
        "node_pressure",
        r"taint\S* \{?node\.kubernetes\.io/(?P<pressure>memory-pressure|disk-pressure)",
        _pressure,
    ),
    _rule("node_lost", r"taint\S* \{?node\.kubernetes\.io/(?:not-ready|unreachable)"),
    _rule("no_gpu", r"Insufficient (?P<resource>[\w.-]+/(?:gpu|mig-[\w.-]+))"),
    _rule("no_memory", r"Insufficient memory"),
    _rule("no_cpu", r"Insufficient cpu"),
    _rule("no_storage", r"Insufficient ephemeral-storage"),
    _rule("too_many_pods", r"Too many pods"),
    _rule("no_matching_node", r"didn't match (?:Pod's node affinity/selector|node selector)"),
    _rule(
        "tainted",
        r"had (?:untolerated taint\S*(?: \{(?P<taint>[^}]*)\})?|taints that the pod didn't)",
    ),
    _rule("ports_taken", r"didn't have free ports"),
    _rule("cordoned", r"node\(s\) were unschedulable"),
    _rule("no_nodes", r"no nodes available to schedule pods"),
    _rule("scaling_up", r"pod triggered scale-up|TriggeredScaleUp"),
    _rule("cannot_scale", r"pod didn't trigger scale-up|NotTriggerScaleUp"),
    _rule("no_node", r"\d+/\d+ nodes are available"),
]

CODES: Mapping[str, Mapping[str, tuple[str, str]]] = texts.TEXTS
"""All codes with their texts by language."""
