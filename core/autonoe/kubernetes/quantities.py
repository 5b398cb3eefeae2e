"""Kubernetes' quantities (``250m``, ``1.5Gi``, ``2e3``) as numbers, and as people read them."""

from __future__ import annotations

import re
from decimal import Decimal

from autonoe.errors import InvalidInputError

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkKMGTPE]i?))?")
_BINARY = {unit: Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}
_DECIMAL = {
    **{"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(1000)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", 2)},
}


def parse(quantity: str | float) -> Decimal:
    """Return a quantity in its base unit: cores, bytes or pieces.

    Raises
    ------
    InvalidInputError
        If it is no quantity.

    Examples
    --------
    >>> parse("1.5Gi")
    Decimal('1610612736.0')
    """
    match = _FORM.fullmatch(str(quantity).strip())
    if not match:
        raise InvalidInputError(
            f"{quantity!r} is no quantity.", hint="Write for example 500m, 2, 16Gi or 1.5Gi."
        )
    number, exponent, unit = match.groups()
    if exponent:
        return Decimal(number + exponent)
    if not unit:
        return Decimal(number)
    if unit.endswith("i"):
        if unit[0] not in _BINARY:
            raise InvalidInputError(f"{quantity!r} has an unknown unit.", hint="Ki, Mi, Gi, Ti ...")
        return Decimal(number) * _BINARY[unit[0]]
    if unit not in _DECIMAL:
        raise InvalidInputError(f"{quantity!r} has an unknown unit.", hint="m, k, M, G, T ...")
    return Decimal(number) * _DECIMAL[unit]


def cpu_millis(quantity: str | float) -> int:
    """Return an amount of CPU in thousandths of a core."""
    return int(parse(quantity) * 1000)


def memory_bytes(quantity: str | float) -> int:
    """Return an amount of memory or storage in bytes."""
    return int(parse(quantity))


def human(resource: str, quantity: str | float) -> str:
    """Return an amount of a resource as a person reads it, such as ``16 GiB`` or ``1.5 CPUs``.

    Parameters
    ----------
    resource : str
        Name as quotas have it: ``limits.memory``, ``requests.nvidia.com/gpu``, ``pods`` ...
    quantity : str or number
        How much of it.
    """
    value = parse(quantity)
    short = resource.removeprefix("requests.").removeprefix("limits.")
    if short in {"memory", "storage", "ephemeral-storage"} or short.endswith("requests.storage"):
        return human_bytes(int(value))
    number = f"{value.normalize():f}"
    if short == "cpu":
        return f"{number} CPU" + ("" if value == 1 else "s")
    if short.endswith("/gpu"):
        return f"{number} GPU" + ("" if value == 1 else "s")
    return f"{number} {short.removeprefix('count/')}"


def human_bytes(amount: int) -> str:
    """Return a number of bytes in the largest unit that keeps it at 1 or more."""
    value, unit = float(amount), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(value) < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
