"""What goes into the native API and comes out of it, as types that msgspec checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

MAX_BODY_BYTES = 1_048_576
MAX_TEXT_CHARS = 5_000
MAX_RECORDS = 1_000
MAX_EXPLAINED = 50
"""Records of one request that are explained: each takes as long as a few dozen predictions."""
MAX_TOP_K = 50
MAX_FEATURES = 32

Features = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=100)], Annotated[str, msgspec.Meta(max_length=200)]
    ],
    msgspec.Meta(max_length=MAX_FEATURES, description="Side variables: column to value."),
]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
# documented only, and checked in parsing.py: so that too many records have their own error code
_RECORDS_DOC = msgspec.Meta(
    extra_json_schema={"minItems": 1, "maxItems": MAX_RECORDS},
    description=f"1 to {MAX_RECORDS} records.",
)
Text = Annotated[
    str,
    msgspec.Meta(
        description=f"The activity in the words of who declares it, 1 to {MAX_TEXT_CHARS} "
        "characters, one letter at least."
    ),
]


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """One activity to code."""

    text: Text
    features: Features = {}


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/predict``."""

    records: Annotated[list[Record], _RECORDS_DOC]
    top_k: Annotated[
        int, msgspec.Meta(ge=1, le=MAX_TOP_K, description="Candidates for each record.")
    ] = 5
    min_probability: Annotated[
        Share,
        msgspec.Meta(description="Candidates below it are left out; the best one always stays."),
    ] = 0.0
    explain: Annotated[
        bool,
        msgspec.Meta(
            description="Say what spoke for each first code, against the second; at most "
            f"{MAX_EXPLAINED} records."
        ),
    ] = False
    dual: Annotated[
        bool,
        msgspec.Meta(
            description="Answer in two versions of the classification, if the server has a "
            "correspondence between them."
        ),
    ] = False
    set_coverage: Annotated[
        Annotated[float, msgspec.Meta(ge=0.5, le=0.99)] | None,
        msgspec.Meta(description="Give the set of codes that holds the right one this often."),
    ] = None
    level: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=6)] | None,
        msgspec.Meta(description="A broader level than the model's own: 2 for divisions."),
    ] = None


class CandidateOut(msgspec.Struct):
    """One proposed code."""

    code: str
    title: str
    probability: float
    level: int


class ErrorOut(msgspec.Struct):
    """Why a record, or the whole request, was not answered."""

    code: str
    message: str
    hint: str


class ErrorAnswer(msgspec.Struct):
    """The one form of every refusal."""

    error: ErrorOut


NO_USABLE_WORD = ErrorOut(
    "no_usable_word",
    "The text holds no word that says something about an activity.",
    "Send a description of the activity.",
)


class ContributionOut(msgspec.Struct):
    """What one feature of the text adds, in calibrated logits; below 0 it speaks against."""

    kind: str
    text: str
    value: float


class WordOut(msgspec.Struct):
    """A word with all that it brings along."""

    word: str
    value: float


class NearOut(msgspec.Struct):
    """A training text like this one."""

    text: str
    code: str
    similarity: float


class ExplanationOut(msgspec.Struct):
    """Why the first code and not the second: contributions and ``rest`` make the whole."""

    code: str
    against: str
    logit_difference: float
    contributions: list[ContributionOut]
    rest: float
    words: list[WordOut]
    other: float
    parts: dict[str, float]
    """The share of each part of the model."""
    nearest: list[NearOut]
    """Empty when the model keeps no training texts."""
    note: str
    """Excerpt of the explanatory note of ``code``."""


class PairOut(msgspec.Struct):
    """A code of each version that may stand together."""

    source: str
    target: str | None
    """Null where no code of that version corresponds."""
    probability: float


class AmbiguityOut(msgspec.Struct):
    """That the pair's source code has several targets: which, how probable, and what says so."""

    code: str
    relation: str
    """``one-to-many`` or ``many-to-many``."""
    candidates: Sequence[CandidateOut]
    """Its targets, the best first; their probabilities, given the code, add up to 1."""
    basis: str
    """What the probabilities come from; ``equal`` when nothing tells the targets apart."""
    why: str


class DualOut(msgspec.Struct):
    """The answer in the version of the model and in the one that corresponds to it."""

    source: Sequence[CandidateOut]
    target: Sequence[CandidateOut]
    pair: PairOut
    """The answer: two codes that the table allows together."""
    pairs: Sequence[PairOut]
    source_confidence: float
    target_confidence: float
    """Probability of the pair's code minus that of the best other code of its version."""
    ambiguity: AmbiguityOut | None
    """Null when the pair's source code has one target, or none."""


class ResultOut(msgspec.Struct, omit_defaults=True):
    """The answer for one record: candidates, or that record's own error."""

    candidates: Sequence[CandidateOut] = []
    confidence: float | None = None
    """Top-1 minus top-2 of the calibrated probabilities, in [0, 1]."""
    auto: bool | None = None
    """True when the confidence reaches the deployment's threshold."""
    stage: str | None = None
    """``lookup`` for the rules engine, ``model`` for the model."""
    fallback: CandidateOut | None = None
    """The deepest code that is sure enough, when the first candidate is not."""
    conformal_set: Sequence[str] | None = None
    """The codes among which the right one is, as often as ``set_coverage`` says."""
    explanation: ExplanationOut | None = None
    dual: DualOut | None = None
    """Codes of two versions, when they were asked for; at the model's own level."""
    error: ErrorOut | None = None


class ModelOut(msgspec.Struct):
    """Which model answered: enough to replay the answer later."""

    name: str
    version: str
    sha256: str
    id: str
    nomenclature: str
    stale: bool
    """True when the registry could not be asked and the last good model answers."""


class PredictAnswer(msgspec.Struct):
    """The answer of ``POST /v1/predict``; ``results`` has the order of ``records``."""

    request_id: str
    model: ModelOut
    threshold: float
    results: Sequence[ResultOut]


class LabelledRecord(msgspec.Struct, forbid_unknown_fields=True):
    """One activity and the code that a person gave it."""

    text: Text
    code: Annotated[str, msgspec.Meta(max_length=20)]
    features: Features = {}


class EvaluateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/evaluate``."""

    records: Annotated[list[LabelledRecord], _RECORDS_DOC]
    top_k: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOP_K)] = 5
    """Candidates among which the code is looked for."""


class ProportionOut(msgspec.Struct):
    """A proportion with its 95 % interval after Wilson."""

    value: float
    low: float
    high: float


class LevelOut(msgspec.Struct):
    """How often the code was right down to one level."""

    n: int
    top1: ProportionOut
    top_k: ProportionOut


class JudgedOut(msgspec.Struct, omit_defaults=True):
    """One record's outcome."""

    right: bool | None = None
    rank: int | None = None
    """Place of the right code among the candidates, from 1; none when it is not there."""
    candidate: CandidateOut | None = None
    confidence: float | None = None
    auto: bool | None = None
    error: ErrorOut | None = None


class EvaluateAnswer(msgspec.Struct):
    """The answer of ``POST /v1/evaluate``."""

    request_id: str
    model: ModelOut
    threshold: float
    n: int
    auto_rate: ProportionOut | None
    auto_accuracy: ProportionOut | None
    levels: dict[str, LevelOut]
    results: Sequence[JudgedOut]


class ModelsAnswer(msgspec.Struct):
    """The answer of ``GET /v1/models``."""

    models: list[ModelOut]
    threshold: float


class DayOut(msgspec.Struct):
    """What a key used on one day, UTC; ``refused`` counts requests beyond its limits."""

    date: str
    requests: int
    records: int
    refused: int


class LimitsOut(msgspec.Struct):
    """What a key may use; null where there is no limit."""

    requests_per_second: float | None
    burst: int | None
    records_per_day: int | None


class UsageAnswer(msgspec.Struct):
    """The answer of ``GET /v1/usage``: the use of the key that asks, and of no other."""

    key_id: str
    label: str
    limits: LimitsOut
    records_left_today: int | None
    days: list[DayOut]


class LogsOut(msgspec.Struct):
    """Predictions on their way to the log store."""

    stored: int
    waiting: int


class ReadyAnswer(msgspec.Struct, omit_defaults=True):
    """The answer of ``GET /health/ready`` once a model answers."""

    ready: bool
    model: ModelOut
    logs: LogsOut | None = None


class LiveAnswer(msgspec.Struct):
    """The answer of ``GET /health/live``."""

    live: bool
