"""What a repository, a script, a variable or a package may be called, wherever it comes from.

The same rules hold for an administrator's catalogue, a form, an API call and, once more, in the
server that acts on them. Each function returns the checked value and raises ``ValueError`` with
a sentence for people.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

MAX_URL = 500
MAX_VALUE = 4096
MAX_ITEMS = 50

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PATH = re.compile(r"/[A-Za-z0-9._~+/@%=-]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# git's own rules for references, and no leading dash, which would be read as an option
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_VERSION = r"(===|==|~=|!=|<=|>=|<|>)[A-Za-z0-9.*+!_-]+"
_PACKAGE = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,99}[A-Za-z0-9])?"
    r"(\[[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*\])?"
    rf"({_VERSION}(,{_VERSION})*)?"
)

_PLATFORM = (
    "AUTONOE_",
    "AWS_",
    "VAULT_",
    "BAO_",
    "JUPYTER",
    "KUBERNETES_",
    "KUBECONFIG",
    "MLFLOW_",
    "S3_",
    "GIT_",
    "LD_",
    "PYTHON",
    "NODE_",
    "BASH_",
    "SSL_",
    "REQUESTS_",
    "CURL_",
    "XDG_",
    "UV_",
    "PIP_",
    "DYLD_",
    "PERL5",
    "R_PROFILE",
    "R_ENVIRON",
)
_SYSTEM = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "ENV",
        "IFS",
        "TMPDIR",
        "HOSTNAME",
        "MEM_LIMIT",
        "MEM_GUARANTEE",
        "CPU_LIMIT",
        "CPU_GUARANTEE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "FTP_PROXY",
        "PS4",
        "PROMPT_COMMAND",
        "NVIDIA_VISIBLE_DEVICES",
        "CUDA_VISIBLE_DEVICES",
    ]
)


def repository_url(url: str, hosts: Collection[str] = ()) -> str:
    """Return ``url`` when a clone of it can do no more than fetch from a named host.

    Parameters
    ----------
    url : str
        ``https://host/path`` or ``ssh://git@host/path``.
    hosts : collection of str
        Host names that are allowed; empty allows all.

    Raises
    ------
    ValueError
        If it is anything else: another scheme (``ext::``, ``file:``), an option, credentials.
    """
    scheme, host, path, user, password = _split(url, "The Git address", ("https", "ssh"))
    if password or (user and scheme == "https"):
        raise ValueError("The Git address must hold no user name and no password.")
    if user and not _USER.fullmatch(user):
        raise ValueError("The user of the Git address has characters that are not allowed.")
    if not path.strip("/"):
        raise ValueError("The Git address names a host and no repository.")
    if repository_folder(url) in {"", ".", ".."} or "/../" in f"{path}/" or "%" in path:
        raise ValueError("The path of the Git address is not allowed.")
    if hosts and host not in {allowed.lower() for allowed in hosts}:
        raise ValueError(f"The host {host} is not among those allowed: {', '.join(sorted(hosts))}.")
    return url


def repository_folder(url: str) -> str:
    """Return the name of the folder that ``url`` is cloned into.

    Examples
    --------
    >>> repository_folder("https://git.example/stat/nace.git")
    'nace'
    """
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]", "-", last)[:100].lstrip("-")


def branch(name: str) -> str:
    """Return ``name`` when git reads it as a branch or a tag and as nothing else."""
    bad = ("..", "//", "@{", "/.")
    if (
        not _BRANCH.fullmatch(name)
        or any(part in name for part in bad)
        or name.endswith((".lock", "/", "."))
    ):
        raise ValueError("The branch is no name that Git accepts.")
    return name


def script_url(url: str) -> str:
    """Return ``url`` when it is a plain ``https://`` address."""
    _, _, _, user, password = _split(url, "The script's address", ("https",))
    if user or password:
        raise ValueError("The script's address must hold no user name and no password.")
    return url


def checksum(value: str) -> str:
    """Return ``value`` when it is a SHA-256 in lower-case hexadecimal."""
    if not _SHA256.fullmatch(value):
        raise ValueError("The checksum must be a SHA-256: 64 digits from 0-9 and a-f.")
    return value


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return ``values`` when none of them can redirect the platform's own parts."""
    if len(values) > MAX_ITEMS:
        raise ValueError(f"There may be {MAX_ITEMS} variables; these are {len(values)}.")
    for name, value in values.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError(f"{_shown(name)} is no name of an environment variable.")
        upper = name.upper()
        if upper in _SYSTEM or upper.startswith(_PLATFORM):
            raise ValueError(f"The variable {name} belongs to the platform.")
        if not isinstance(value, str) or len(value) > MAX_VALUE or re.search(r"[\0\r\n]", value):
            raise ValueError(f"The value of {name} must be one line of at most {MAX_VALUE}.")
    return dict(values)


def packages(names: Collection[str]) -> tuple[str, ...]:
    """Return ``names`` when each is a package's name with extras and versions, and no option."""
    if len(names) > MAX_ITEMS:
        raise ValueError(f"There may be {MAX_ITEMS} packages; these are {len(names)}.")
    for name in names:
        if not isinstance(name, str) or len(name) > 200 or not _PACKAGE.fullmatch(name):
            raise ValueError(
                f"{_shown(name)} is no package name; write for example seaborn or seaborn>=0.13."
            )
    return tuple(names)


def _split(url: str, what: str, schemes: tuple[str, ...]) -> tuple[str, str, str, str, str]:
    if not isinstance(url, str) or len(url) > MAX_URL or not re.fullmatch(r"[!-~]+", url):
        raise ValueError(f"{what} must be at most {MAX_URL} printable characters without spaces.")
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)) or "\\" in url:
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f"{what} must begin with {begins}.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{what} cannot be read.") from None
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError(f"{what} names no host.")
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path or "/"):
        raise ValueError(f"{what} has a part that is not allowed after the host.")
    return parts.scheme, host, parts.path, parts.username or "", parts.password or ""


def _shown(value: object) -> str:
    return repr(value)[:60]
