"""How the work of batches is cut up, and how single requests are put together."""

from __future__ import annotations

import asyncio

import pytest

from autonoe_nace.model import Prediction
from autonoe_nace.model.answering import NOTHING
from autonoe_nace.serving.gathering import Features, Gathering, chunks


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([10], [(0, 1)]),
        ([10] * 7, [(0, 3), (3, 6), (6, 7)]),
        ([60, 60, 10, 10, 10, 95], [(0, 1), (1, 4), (4, 5), (5, 6)]),
        ([500, 1, 500], [(0, 1), (1, 2), (2, 3)]),
        ([50, 50, 50], [(0, 2), (2, 3)]),
    ],
)
def test_a_chunk_is_bounded_by_texts_and_characters(
    lengths: list[int], expected: list[tuple[int, int]]
) -> None:
    assert list(chunks(["x" * length for length in lengths], 3, 100)) == expected


def _lots(lengths: list[int]) -> tuple[list[list[int]], list[int]]:
    """Ask for texts of these lengths at once; return the lots, and the loop's other turns."""
    lots: list[list[int]] = []
    turns: list[int] = []

    def predict(texts: list[str], features: list[Features]) -> list[Prediction]:
        assert len(texts) == len(features)
        lots.append([len(text) for text in texts])
        return [NOTHING] * len(texts)

    async def ask() -> None:
        gathering = Gathering(3, 100)
        answers = [gathering.ask("same", predict, ["x" * n], [{}]) for n in lengths]

        async def watch() -> None:
            while len(turns) < 20:
                turns.append(len(lots))
                await asyncio.sleep(0)

        await asyncio.gather(watch(), *answers)
        assert [len(answer.result()) for answer in answers] == [1] * len(lengths)

    asyncio.run(ask())
    return lots, turns


def test_requests_of_one_turn_are_coded_together() -> None:
    assert _lots([10, 20, 30])[0] == [[10, 20, 30]]


def test_others_get_their_turn_between_two_lots() -> None:
    lots, turns = _lots([10, 10, 10, 10, 90, 90])
    assert lots == [[10, 10, 10], [10, 90], [90]]
    assert {1, 2, 3} <= set(turns), "two lots were coded in one turn of the event loop"
