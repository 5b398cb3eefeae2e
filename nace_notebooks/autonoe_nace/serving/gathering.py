"""Single requests that come at the same moment are coded together.

A text costs a third as much among others as alone: numpy's and Python's own work is done once for
all of them. Nobody waits for it: what the event loop has read by the time it comes round makes up
one lot, be it one request or thirty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.model import Prediction

Features = Mapping[str, str]
Predict = Callable[[list[str], list[Features]], list[Prediction]]
Then = Callable[[list[Prediction] | Exception], None]
"""Takes the answers, or why there are none; raises nothing."""


class _Waiting(NamedTuple):
    texts: Sequence[str]
    features: Sequence[Features]
    then: Then


class Gathering:
    """Codes together what was asked in the same way in the same turn of the event loop.

    Parameters
    ----------
    most, most_chars : int
        Texts that one lot holds, and characters: others get their turn between two lots.
    """

    def __init__(self, most: int, most_chars: int) -> None:
        self._most = most
        self._most_chars = most_chars
        self._lots: dict[Hashable, tuple[Predict, list[_Waiting]]] = {}

    def ask(
        self, how: Hashable, predict: Predict, texts: Sequence[str], features: Sequence[Features]
    ) -> asyncio.Future[list[Prediction]]:
        """Return the answers for ``texts`` when this turn's lot has been coded; see :meth:`put`."""
        answer: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()

        def then(found: list[Prediction] | Exception) -> None:
            if answer.done():  # a client may have gone meanwhile
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        self.put(how, predict, texts, features, then)
        return answer

    def put(
        self,
        how: Hashable,
        predict: Predict,
        texts: Sequence[str],
        features: Sequence[Features],
        then: Then,
    ) -> None:
        """Have ``texts`` coded with this turn's lot.

        Parameters
        ----------
        how : hashable
            The model and what is wanted of it; only equals are put together.
        predict : callable
            Does it; that of the first of a lot is called.
        texts, features : sequences of one length
            What to code.
        then : callable
            Called once, in a later step of the event loop.
        """
        waiting = _Waiting(texts, features, then)
        lot = self._lots.get(how)
        if lot is None:
            self._lots[how] = (predict, [waiting])
            asyncio.get_running_loop().call_soon(self._code, how)
        else:
            lot[1].append(waiting)

    def _code(self, how: Hashable) -> None:
        predict, waiting = self._lots.pop(how)
        end = count = chars = 0
        for one in waiting:
            count += len(one.texts)
            chars += sum(map(len, one.texts))
            if end and (count > self._most or chars > self._most_chars):
                # whatever else the event loop has to do comes first
                self._lots[how] = (predict, waiting[end:])
                asyncio.get_running_loop().call_soon(self._code, how)
                break
            end += 1
        _answer(predict, waiting[:end])


def chunks(texts: Sequence[str], most: int, most_chars: int) -> Iterator[tuple[int, int]]:
    """Yield where each chunk of ``texts`` starts and ends.

    A chunk holds ``most`` texts and ``most_chars`` characters at most, one text at least.
    """
    start = chars = 0
    for place, text in enumerate(texts):
        chars += len(text)
        if place > start and (place - start == most or chars > most_chars):
            yield start, place
            start, chars = place, len(text)
    if start < len(texts):
        yield start, len(texts)


def _answer(predict: Predict, waiting: Sequence[_Waiting]) -> None:
    texts = [text for one in waiting for text in one.texts]
    features = [values for one in waiting for values in one.features]
    try:
        found = predict(texts, features)
    except Exception as error:  # an edge: it is raised again where the answer is awaited
        for one in waiting:
            # each its own: an exception remembers where it was raised
            one.then(_copy(error))
        return
    start = 0
    for one in waiting:
        end = start + len(one.texts)
        one.then(found[start:end])
        start = end


def _copy(error: Exception) -> Exception:
    if isinstance(error, AutonoeError):
        kind = InvalidInputError if isinstance(error, InvalidInputError) else AutonoeError
        return kind(error.message, hint=error.hint, code=error.code)
    copy = RuntimeError("The model failed")
    copy.__cause__ = error
    return copy
