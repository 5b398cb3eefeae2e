"""From what people write about parameters to candidates: ``lr=0.4,0.8`` or ``lr=loguniform:0.1:1``.

scikit-learn's ParameterGrid and ParameterSampler make the combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from autonoe.errors import InvalidInputError
from autonoe_nace.search.plan import MOST_CANDIDATES
from autonoe_nace.training import TrainingParams

_FORMS = ("uniform", "loguniform", "int")


def grid(spaces: Sequence[str]) -> list[dict[str, Any]]:
    """Return every combination of the values given.

    Parameters
    ----------
    spaces : sequence of str
        ``name=value,value,...``.

    Raises
    ------
    InvalidInputError
        If a name is unknown, a value is none for it, or there are too many combinations.

    Examples
    --------
    >>> grid(["dim=20,50", "lr=0.5"])
    [{'dim': 20, 'lr': 0.5}, {'dim': 50, 'lr': 0.5}]
    """
    from sklearn.model_selection import ParameterGrid

    values = {}
    for space in parts(spaces):
        name, text = _split(space)
        if text.partition(":")[0] in _FORMS:
            raise InvalidInputError(
                f"{space!r} is a distribution; a grid needs values.",
                hint=f"Write {name}=VALUE,VALUE or use autonoe nace search random.",
            )
        values[name] = _values(name, text)
    found = ParameterGrid(values)
    if len(found) > MOST_CANDIDATES:
        raise InvalidInputError(
            f"The grid has {len(found):,} candidates; {MOST_CANDIDATES:,} are possible.",
            hint="Give fewer values, or draw some with autonoe nace search random.",
        )
    return [_plain(candidate) for candidate in found]


def sample(spaces: Sequence[str], n: int, seed: int) -> list[dict[str, Any]]:
    """Return ``n`` different candidates drawn at random; fewer when there are no more.

    Parameters
    ----------
    spaces : sequence of str
        ``name=value,value``, ``name=uniform:low:high``, ``name=loguniform:low:high`` or
        ``name=int:low:high`` (both ends included).
    n : int
        Number of candidates.
    seed : int
        The same seed draws the same candidates.

    Raises
    ------
    InvalidInputError
        If a name or a value is not usable.
    """
    from sklearn.model_selection import ParameterSampler

    spread = {}
    for space in parts(spaces):
        name, text = _split(space)
        spread[name] = _distribution(name, text)
    every = all(isinstance(value, list) for value in spread.values())
    if every:
        size = 1
        for value in spread.values():
            size *= len(value)
        n = min(n, size)
    drawn = [_plain(candidate) for candidate in ParameterSampler(spread, n, random_state=seed)]
    return list({repr(candidate): candidate for candidate in drawn}.values())


def single(assignment: str) -> tuple[str, Any]:
    """Return name and value of ``name=value``.

    Raises
    ------
    InvalidInputError
        If it is not one known parameter with one usable value.
    """
    name, text = _split(assignment)
    values = _values(name, text)
    if len(values) != 1:
        raise InvalidInputError(
            f"{assignment!r} gives {len(values)} values; one is wanted.",
            hint="Use --vary for parameters with several values.",
        )
    return name, values[0]


def parts(texts: Sequence[str]) -> list[str]:
    """Return the single settings of texts that may hold several, ``lr=0.4,0.8; dim=20,50``."""
    return [part.strip() for text in texts for part in text.split(";") if part.strip()]


def _split(space: str) -> tuple[str, str]:
    name, sign, text = space.partition("=")
    name = name.strip().replace("-", "_")
    if not sign or not text.strip() or name not in TrainingParams.model_fields:
        raise InvalidInputError(
            f"{space!r} is not of the form PARAMETER=VALUES.",
            hint=f"For example lr=0.4,0.8. Known: {', '.join(TrainingParams.model_fields)}.",
        )
    return name, text.strip()


def _values(name: str, text: str) -> list[Any]:
    return [_value(name, part.strip()) for part in text.split(",")]


def _value(name: str, text: str) -> Any:
    """Return ``text`` as what the parameter is, through pydantic, constraints included."""
    kind: Any = TrainingParams.model_fields[name].annotation
    if text.lower() in {"none", "null"} and type(None) in get_args(kind):
        return None
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise InvalidInputError(
            f"{text!r} is no value of {name}: {error.errors()[0]['msg'].lower()}.",
            hint="See autonoe nace train --help.",
        ) from error


def _distribution(name: str, text: str) -> Any:
    from scipy.stats import loguniform, randint, uniform

    form, *ends = text.split(":")
    if form not in _FORMS:
        return _values(name, text)
    try:
        low, high = (float(end) for end in ends)
        if not low < high or (form == "loguniform" and low <= 0):
            raise ValueError(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{text!r} is no distribution.", hint=f"Write {name}={form}:LOW:HIGH, LOW below HIGH."
        ) from error
    if form == "int":
        return randint(int(low), int(high) + 1)
    return loguniform(low, high) if form == "loguniform" else uniform(low, high - low)


def _plain(candidate: dict[str, Any]) -> dict[str, Any]:
    """Return the values as Python's own, floats with six digits: enough, and readable."""
    found: dict[str, Any] = {}
    for name, value in sorted(candidate.items()):
        plain = value.item() if hasattr(value, "item") else value
        found[name] = float(f"{plain:.6g}") if isinstance(plain, float) else plain
    return found
