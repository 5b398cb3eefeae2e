"""Splits that keep near-duplicates together: a random split flatters a model by 3 to 8 points."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from autonoe.errors import InvalidInputError

SIMILARITY = 0.75
"""Cosine of character 3- to 5-gram TF-IDF vectors from which two texts count as near-duplicates."""

MOST_COMPARED = 60_000
"""Distinct texts whose characters are compared (under a minute); more are grouped by words only."""

Compared = Literal["characters", "words"]

_LOG = logging.getLogger(__name__)

_COMMON = 0.6
"""Norm of the common n-grams of a text that the search for candidates leaves out."""

_ROUNDING = 1e-4
_BLOCK = 1_000
_HASHED_FEATURES = 2**18


def near_duplicate_groups(prepared: Sequence[str], *, similarity: float = SIMILARITY) -> list[int]:
    """Return for each prepared text the number of its group of near-duplicates.

    Two texts share a group when they hold the same words in any order, when the cosine of their
    character 3- to 5-grams reaches ``similarity``, or when a chain of such texts joins them. Of
    more than :data:`MOST_COMPARED` distinct texts only the words are compared; a logged warning
    says so, and :func:`compared_by` tells.

    Parameters
    ----------
    prepared : sequence of str, length n
        Texts after preparation (so that "grow" and "growing" are one word).
    similarity : float
        In (0, 1]; 1 or more keeps only the rule on words.

    Returns
    -------
    list of int, length n
        Groups are numbered in the order of their first text.
    """
    parent = list(range(len(prepared)))
    first: dict[str, int] = {}
    for i, text in enumerate(prepared):
        _join(parent, i, first.setdefault(_bag(text), i))
    distinct = list(first.values())
    if similarity < 1 and len(distinct) > MOST_COMPARED:
        _LOG.warning(
            "%s different texts, more than %s: near-duplicates are those with the same words; "
            "close spellings are not found, and figures on held-out texts flatter a little.",
            f"{len(distinct):,}",
            f"{MOST_COMPARED:,}",
        )
    elif similarity < 1 and len(distinct) > 1:
        for a, b in _similar_pairs([prepared[i] for i in distinct], similarity):
            _join(parent, distinct[a], distinct[b])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_root(parent, i), len(numbers)) for i in range(len(prepared))]


def compared_by(prepared: Sequence[str]) -> Compared:
    """Return by what :func:`near_duplicate_groups` compares these texts: characters, or words only.

    The latter for more than :data:`MOST_COMPARED` texts with different words.
    """
    return "characters" if len(set(map(_bag, prepared))) <= MOST_COMPARED else "words"


def hold_out(groups: Sequence[int], *, share: float, seed: int = 0) -> tuple[list[int], list[int]]:
    """Return the positions (kept, held out): whole groups, about ``share`` of the texts held out.

    The same groups, share and seed give the same split on every machine.

    Raises
    ------
    InvalidInputError
        If ``share`` is not strictly between 0 and 1, or there are fewer than two groups.
    """
    if not 0 < share < 1:
        raise InvalidInputError(
            f"The share to hold out is {share}; it must lie between 0 and 1.",
            hint="0.2 holds out a fifth.",
        )
    members: defaultdict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    if len(members) < 2:
        raise InvalidInputError(
            "All texts are near-duplicates of each other; they cannot be split.",
            hint="Give more varied texts.",
        )
    target = share * len(groups)
    held: list[int] = []
    order = sorted(members, key=lambda group: _shuffle_key(group, seed))
    for group in order[:-1]:
        if len(held) + len(members[group]) <= max(target, 1) or not held:
            held += members[group]
    chosen = set(held)
    return [i for i in range(len(groups)) if i not in chosen], sorted(held)


def folds(groups: Sequence[int], *, k: int = 5, seed: int = 0) -> list[int]:
    """Return for each text its fold, 0 to ``k`` - 1: whole groups, folds of nearly equal size.

    Raises
    ------
    InvalidInputError
        If there are fewer groups than folds, or fewer than two folds.
    """
    sizes: defaultdict[int, int] = defaultdict(int)
    for group in groups:
        sizes[group] += 1
    if not 2 <= k <= len(sizes):
        raise InvalidInputError(
            f"{k} folds were asked for; there are {len(sizes)} groups of near-duplicates.",
            hint="Choose from 2 folds up to the number of groups.",
        )
    load = [0] * k
    fold_of: dict[int, int] = {}
    for group in sorted(sizes, key=lambda g: (-sizes[g], _shuffle_key(g, seed))):
        fold_of[group] = min(range(k), key=lambda fold: (load[fold], fold))
        load[fold_of[group]] += sizes[group]
    return [fold_of[group] for group in groups]


def _similar_pairs(texts: Sequence[str], similarity: float) -> list[tuple[int, int]]:
    """Return the pairs of ``texts`` whose cosine reaches ``similarity``, exactly.

    Most work in a product of all with all goes into common n-grams that decide nothing. Each row
    is therefore cut into its common n-grams, up to a norm of ``_COMMON``, and its rare ones: by
    the Cauchy-Schwarz inequality a similar pair shares at least ``similarity - _COMMON`` through
    the rare ones. Only such pairs are compared in full (Bayardo, Ma and Srikant, WWW 2007).
    """
    vectors = _vectors(texts)
    common = min(_COMMON, similarity / 2)
    rare = _rare_part(vectors, common)
    turned = vectors.T.tocsr()
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(texts), _BLOCK):
        shared = (rare[start : start + _BLOCK] @ turned).tocoo()
        keep = shared.data >= similarity - common - _ROUNDING
        left, right = shared.row[keep] + start, shared.col[keep]
        left, right = left[right != left], right[right != left]
        cosine = np.asarray(vectors[left].multiply(vectors[right]).sum(axis=1)).ravel()
        near = cosine >= similarity
        pairs += zip(left[near].tolist(), right[near].tolist(), strict=True)
    return pairs


def _vectors(texts: Sequence[str]) -> Any:
    """Return unit TF-IDF rows of character n-grams, the columns from common to rare."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    hashed = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 5),
        n_features=_HASHED_FEATURES,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    ).transform(texts)
    vectors = TfidfTransformer(sublinear_tf=True).fit_transform(hashed).tocsr()
    order = np.argsort(-vectors.getnnz(axis=0), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    vectors.indices = place[vectors.indices].astype(vectors.indices.dtype)
    vectors.has_sorted_indices = False
    vectors.sort_indices()
    return vectors


def _rare_part(vectors: Any, common: float) -> Any:
    """Return ``vectors`` without the first columns of each row, up to the norm ``common``."""
    squares = np.concatenate([[0.0], np.cumsum(vectors.data.astype(np.float64) ** 2)])
    before_row = np.repeat(squares[vectors.indptr[:-1]], np.diff(vectors.indptr))
    rare = vectors.copy()
    rare.data[squares[1:] - before_row <= common**2] = 0
    rare.eliminate_zeros()
    return rare


def _bag(text: str) -> str:
    return " ".join(sorted(set(text.split())))


def _shuffle_key(group: int, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{group}".encode()).digest()


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _join(parent: list[int], a: int, b: int) -> None:
    a, b = _root(parent, a), _root(parent, b)
    parent[max(a, b)] = min(a, b)
