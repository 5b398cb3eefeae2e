"""What can be chosen about a training run, and why the defaults are what they are."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autonoe.errors import InvalidInputError
from autonoe.validation import mistakes


class TrainingParams(BaseModel):
    """Parameters of one training run.

    The defaults were chosen on one fold of the UK index (12,765 short texts, 615 classes) and
    checked on the others; docs/guides/nace-model.md has the table. There is no number of threads:
    fastText's threads overwrite each other's updates, so that only one gives the same bits twice.

    Attributes
    ----------
    preset : {"fast", "full"}
        ``fast`` is fastText alone. ``full`` adds a linear classifier and the nearest training
        texts: four to five points more for a few times the time a text, far below 1 ms.
    dim : int
        Length of the vectors. 100 costs twice the time for half a point.
    epoch : int
        Passes over the data.
    lr : float
        Initial learning rate; 1.5 and more can diverge.
    word_ngrams : int
        Longest run of words that counts as a feature.
    minn, maxn : int
        Lengths of the character n-grams; 0 and 0 for none.
    bucket : int
        Slots that word and character n-grams share. The file takes 4 x dim bytes for each.
    min_count : int
        Words rarer than this are known by their n-grams only.
    seed : int
        Of fastText's random numbers and of the calibration split.
    level : int or None
        Level of the codes to predict; None takes the one that most codes of the data have.
    language : str
        Rules of preparation; empty takes the language of the nomenclature.
    titles : bool
        Whether the nomenclature's titles (class and below) are learned too.
    keep_texts : bool or None
        Whether the model carries its training texts, so that explanations can show those most like
        a text. None keeps published reference material only: titles, and data sets marked public.
    calibration_share : float or None
        Part of the texts that a calibrating model does not see; 0 for no calibration. None takes
        .15 for ``fast`` and .08 for ``full``: the less is held out, the more like the final model
        the calibrating one is.
    calibration_rounds : int or None
        Calibrating models, each without other texts; None takes 1 for ``fast`` and 4 for ``full``.
        More of them give more texts for calibration and take as much time each as the model itself.
    linear, neighbours : bool or None
        Whether to add that part; None leaves it to the preset. The neighbours keep the words of the
        training texts in the model, which confidential texts may forbid.
    linear_c : float
        How much the linear classifier minds an error on a training text.
    lookup : bool
        Whether a rules engine made from the same texts answers first where it is sure. It keeps
        those texts in the model.
    most_texts : int
        Texts that the linear classifier and the neighbours use, at most: an even choice of them.
        fastText always learns from all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["fast", "full"] = "fast"
    dim: int = Field(default=50, ge=2, le=1_000)
    epoch: int = Field(default=30, ge=1, le=10_000)
    lr: float = Field(default=0.8, gt=0, le=10)
    word_ngrams: int = Field(default=2, ge=1, le=5)
    minn: int = Field(default=4, ge=0, le=10)
    maxn: int = Field(default=4, ge=0, le=10)
    bucket: int = Field(default=100_000, ge=1, le=20_000_000)
    min_count: int = Field(default=1, ge=1)
    seed: int = Field(default=1, ge=0, le=2_147_483_647)
    level: int | None = Field(default=None, ge=1, le=6)
    language: str = ""
    titles: bool = True
    keep_texts: bool | None = None
    calibration_share: float | None = Field(default=None, ge=0, le=0.5)
    calibration_rounds: int | None = Field(default=None, ge=1, le=10)
    linear: bool | None = None
    neighbours: bool | None = None
    linear_c: float = Field(default=1.0, gt=0, le=1_000)
    lookup: bool = False
    most_texts: int = Field(default=150_000, ge=2)

    @model_validator(mode="after")
    def _rounds_fit(self) -> TrainingParams:
        if self.rounds * self.held_share > 1:
            raise ValueError("calibration_share times calibration_rounds is more than all texts")
        return self

    @property
    def with_linear(self) -> bool:
        """Whether the model has a linear part."""
        return self.preset == "full" if self.linear is None else self.linear

    @property
    def with_neighbours(self) -> bool:
        """Whether the model has the nearest training texts."""
        return self.preset == "full" if self.neighbours is None else self.neighbours

    @property
    def rounds(self) -> int:
        """Number of calibrating models."""
        if self.calibration_rounds is not None:
            return self.calibration_rounds
        return 4 if self.preset == "full" else 1

    @property
    def held_share(self) -> float:
        """Part of the texts that each calibrating model does not see."""
        if self.calibration_share is not None:
            return self.calibration_share
        return 0.08 if self.preset == "full" else 0.15

    @classmethod
    def of(cls, **values: Any) -> TrainingParams:
        """Return the parameters with ``values``, the rest being defaults.

        Raises
        ------
        InvalidInputError
            If a name is unknown or a value out of range.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise InvalidInputError(
                f"The training parameters are not usable: {mistakes(error, whole='together')}.",
                hint=f"Known: {', '.join(cls.model_fields)}.",
            ) from error

    def fasttext(self) -> dict[str, Any]:
        """Return the arguments of ``fasttext.train_supervised``."""
        return {
            "loss": "softmax",
            "thread": 1,
            "dim": self.dim,
            "epoch": self.epoch,
            "lr": self.lr,
            "wordNgrams": self.word_ngrams,
            "minn": self.minn,
            "maxn": self.maxn,
            "bucket": self.bucket,
            "minCount": self.min_count,
            "seed": self.seed,
        }
