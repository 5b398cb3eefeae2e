"""Recoding of a labelled register: by the table where it decides, by a model, or by people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

from autonoe.errors import InvalidInputError
from autonoe_nace.model import NaceModel
from autonoe_nace.recoding.correspondence import Correspondence, Link
from autonoe_nace.recoding.decide import Decider, Rules
from autonoe_nace.recoding.folder import RECIPE, Folder
from autonoe_nace.recoding.recoded import RecodedRegister
from autonoe_nace.recoding.register import Columns, Register

CHUNK_ROWS = 50_000
"""Rows of one part: it is what an interruption loses, and about 100 MiB of memory."""


class Progress(Protocol):
    """Gets the name of the stage and the share of it that is done, in [0, 1]."""

    def __call__(self, stage: str, share: float, /) -> None:
        """Show it."""


def _quiet(stage: str, share: float, /) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Plan:
    """What to recode and how.

    Attributes
    ----------
    columns : Columns
        What the register's columns are called.
    rules : Rules
        When a row is recoded without a person.
    chunk_rows : int
        Rows of one part.
    fresh : bool
        Begin again although the folder holds the result of another recipe.
    """

    columns: Columns = field(default_factory=Columns)
    rules: Rules = field(default_factory=Rules)
    chunk_rows: int = CHUNK_ROWS
    fresh: bool = False


def recode(
    register: str,
    correspondence: Correspondence,
    model: NaceModel | None,
    output: str,
    *,
    plan: Plan | None = None,
    shares: Mapping[Link, float] | None = None,
    progress: Progress = _quiet,
) -> RecodedRegister:
    """Give each row of a register its code in the new version, or put it into the review queue.

    A code with one target is recoded by the table. For the others the model's probabilities are
    shared among the targets that the table allows; where the confidence stays below the threshold,
    a person is asked. A run that was interrupted goes on where it stopped.

    Parameters
    ----------
    register : str
        Path or ``s3://`` address of a CSV or Parquet file with texts and old codes.
    correspondence : Correspondence
        From the register's version to the new one.
    model : NaceModel or None
        A model of the new version; None leaves every ambiguous code to people.
    output : str
        Folder or ``s3://`` prefix for the result.
    plan : Plan, optional
        Columns, rules and size of the parts.
    shares : mapping of (str, str) to float, optional
        Prior shares of the targets of a code.
    progress : Progress
        Called with the stage and its share done.

    Raises
    ------
    InvalidInputError
        If the register or a column cannot be read, or the model is of another version.
    ConflictError
        If ``output`` holds something else.
    """
    plan = plan or Plan()
    level = model.manifest.level if model else correspondence.level[1]
    decider = Decider(table := _table_at(correspondence, level), model, plan.rules, shares)
    source = Register(register, plan.columns)
    folder = Folder(output)
    recipe = {
        "register": source.fingerprint,
        "columns": {**asdict(plan.columns), "features": list(plan.columns.features)},
        "correspondence": {"name": table.name, "sha256": table.sha256},
        "versions": {"source": table.source.name, "target": table.target.name},
        "model": model.id if model else None,
        "rules": asdict(plan.rules),
        "shares": sorted([*link, share] for link, share in (shares or {}).items()),
        "chunk_rows": plan.chunk_rows,
    }
    folder.start(recipe, fresh=plan.fresh)
    row, reused = 1, 0
    for number, (chunk, share) in enumerate(source.chunks(plan.chunk_rows)):
        if folder.has_part(number):
            reused += 1
        else:
            folder.write_part(number, decider.decide(chunk, row))
        row += len(chunk)
        progress("recoding", share)
    # the trees travel along, so that series and decisions need nothing but this folder
    trees = {"source": table.source.to_dict(), "target": table.target.to_dict()}
    done = {"rows": row - 1, "parts_reused": reused, "complete": True, "nomenclatures": trees}
    folder.write_json(RECIPE, {**recipe, **done})
    progress("recoding", 1.0)
    return RecodedRegister(folder.uri)


def _table_at(correspondence: Correspondence, level: int) -> Correspondence:
    """Return the pairs whose targets are of the model's level.

    The source codes keep all their levels: a register can hold classes beside subclasses.
    """
    links: list[Link] = []
    for source_level in correspondence.source.levels:
        try:
            links += correspondence.at(source_level, level).links
        except InvalidInputError:
            continue
    return Correspondence(
        correspondence.name,
        correspondence.source,
        correspondence.target,
        links,
        attribution=correspondence.attribution,
        report=correspondence.report,
    )
