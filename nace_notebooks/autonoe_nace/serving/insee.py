"""The routes of INSEE's coding API, answered by the same model, checks and logs as the native ones.

What its code got wrong is answered sensibly: the index is top-1 minus top-2 whatever number of
candidates is asked for, a too high ``prob_min`` leaves the best candidate, and one bad row has an
error of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autonoe_nace.serving.errors import ServingError
from autonoe_nace.serving.exchange import Exchange, encode
from autonoe_nace.serving.holder import ModelHolder
from autonoe_nace.serving.insee_schema import (
    EchoOut,
    InseeBatch,
    InseeEvaluation,
    InseeForm,
    InseeForms,
    InseeOptions,
    InseeQuery,
)
from autonoe_nace.serving.parsing import body_parser, check_count, query_parser
from autonoe_nace.serving.predictor import Predictor, Work
from autonoe_nace.serving.schema import MAX_TOP_K, ResultOut
from autonoe_nace.serving.source import ServedModel
from autonoe_nace.serving.usage import UsageTable

_QUERY_HINT = "GET /predict?text_description=…&type_liasse=…&nature=…&surface=…&event=…"
_OPTIONS_HINT = "nb_echos_max is 1 to 1000, prob_min 0 to 1."
_BATCH_HINT = 'Send {"text_description": ["…"], "type_": [""], "nature": [""], …}: equal lengths.'
_FORMS_HINT = 'Send {"forms": [{"description_activity": "…", "type_form": "…", …}]}.'

_ALIASES = {
    "type": ("type", "type_liasse", "type_", "type_form", "liasse", "liasse_type"),
    "nature": ("nature", "activ_nat_et", "nat"),
    "surface": ("surface", "activ_surf_et", "surf"),
    "event": ("event", "evenement_type", "evt"),
    "cj": ("cj", "legal_form", "categorie_juridique"),
    "permanence": ("activity_permanence_status", "permanence", "activ_perm_et"),
}
"""Names that a model's column of the same meaning may have, the first that it knows being taken."""

_query = query_parser(InseeQuery, hint=_QUERY_HINT)
_options = query_parser(InseeOptions, hint=_OPTIONS_HINT)
_batch = body_parser(InseeBatch, hint=_BATCH_HINT)
_evaluation = body_parser(InseeEvaluation, hint=_BATCH_HINT)
_forms = body_parser(InseeForms, hint=_FORMS_HINT)


class InseeRoutes:
    """Handlers of the routes that INSEE's clients call.

    Parameters
    ----------
    holder : ModelHolder
        The model in use.
    predictor : Predictor
        Codes and logs.
    usage : UsageTable
        Counts each record against its key's day.
    """

    def __init__(self, holder: ModelHolder, predictor: Predictor, usage: UsageTable) -> None:
        self._holder = holder
        self._predictor = predictor
        self._usage = usage

    async def predict(self, exchange: Exchange) -> bytes:
        """Answer ``GET /predict``."""
        wanted = _query(exchange.query)
        side = {
            "type": wanted.type_liasse,
            "nature": wanted.nature,
            "surface": wanted.surface,
            "event": wanted.event,
        }
        served = self._holder.current()
        results = await self._results(exchange, served, [wanted.text_description], [side], wanted)
        if results[0].error is not None:
            error = results[0].error
            raise ServingError(error.message, hint=error.hint, code=error.code)
        return encode(_row(results[0], served))

    async def predict_batch(self, exchange: Exchange) -> bytes:
        """Answer ``POST /predict-batch``: a list of rows, in order."""
        options = _options(exchange.query)
        batch = _batch(await exchange.body())
        served = self._holder.current()
        results = await self._results(exchange, served, *_columns(batch), options)
        return encode([_row(result, served) for result in results])

    async def evaluation(self, exchange: Exchange) -> bytes:
        """Answer ``POST /evaluation``: the rows of a batch, each with ``Result``: right or not."""
        options = _options(exchange.query)
        batch = _evaluation(await exchange.body())
        texts, sides = _columns(batch)
        _check_lengths(texts, {"code": batch.code})
        served = self._holder.current()
        results = await self._results(exchange, served, texts, sides, options)
        rows = []
        for given, result in zip(batch.code, results, strict=True):
            row = _row(result, served)
            row["Code"] = given
            row["Result"] = bool(
                result.candidates and _bare(result.candidates[0].code) == _bare(given or "")
            )
            rows.append(row)
        return encode(rows)

    async def predict_forms(self, exchange: Exchange) -> bytes:
        """Answer ``POST /predict/``: a list of rows, one a form."""
        options = _options(exchange.query)
        forms = _forms(await exchange.body()).forms
        served = self._holder.current()
        results = await self._results(
            exchange, served, [_text(form) for form in forms], [_side(f) for f in forms], options
        )
        return encode([_row(result, served) for result in results])

    async def _results(
        self,
        exchange: Exchange,
        served: ServedModel,
        texts: Sequence[str],
        sides: Sequence[Mapping[str, str]],
        options: InseeOptions,
    ) -> list[ResultOut]:
        check_count(texts)
        self._usage.spend(exchange.caller.key_id, exchange.caller.limits, len(texts))
        rename = _renaming(served.model.prepare.features.columns)
        work = Work(
            exchange.request_id,
            exchange.caller.key_id,
            exchange.started,
            served,
            texts,
            [rename(side) for side in sides],
            top_k=min(options.echos, MAX_TOP_K),
            min_probability=options.prob_min,
        )
        return await self._predictor.answer(work)


def _columns(batch: InseeBatch) -> tuple[list[str], list[dict[str, str]]]:
    """Return texts and side variables row by row."""
    columns = {
        name: values
        for name, values in (
            ("type", batch.type_),
            ("nature", batch.nature),
            ("surface", batch.surface),
            ("event", batch.event),
        )
        if values is not None
    }
    _check_lengths(batch.text_description, columns)
    texts = [text or "" for text in batch.text_description]
    sides = [{name: values[i] or "" for name, values in columns.items()} for i in range(len(texts))]
    return texts, sides


def _check_lengths(texts: Sequence[object], columns: Mapping[str, Sequence[object]]) -> None:
    """Refuse a batch whose columns differ in length: nobody knows whose value is whose."""
    for name, values in columns.items():
        if len(values) != len(texts):
            raise ServingError(
                f"The column {name} has {len(values)} rows, text_description has {len(texts)}.",
                hint="Give every column one value a row; null where there is none.",
            )


def _renaming(known: Sequence[str]) -> Callable[[Mapping[str, str]], dict[str, str]]:
    """Return a function that gives side variables the names that the model's columns have."""
    lower = {column.lower(): column for column in known}
    names = {
        ours: next((lower[name] for name in aliases if name in lower), aliases[0])
        for ours, aliases in _ALIASES.items()
    }
    return lambda side: {names[name]: value for name, value in side.items() if value}


def _text(form: InseeForm) -> str:
    """Return the words of a form: the description, and what the form asks beside it."""
    parts = (
        form.description_activity,
        form.other_nature_activity,
        form.precision_act_sec_agricole,
    )
    return " ".join(part for part in parts if part)


def _side(form: InseeForm) -> dict[str, str]:
    given = {
        "type": form.type_form,
        "nature": form.nature,
        "surface": form.surface,
        "cj": form.cj,
        "permanence": form.activity_permanence_status,
    }
    return {name: value for name, value in given.items() if value}


def _row(result: ResultOut, served: ServedModel) -> dict[str, object]:
    row: dict[str, object] = {}
    if result.error is not None:
        row["error"] = result.error
    else:
        for place, c in enumerate(result.candidates, start=1):
            row[str(place)] = EchoOut(_bare(c.code), c.probability, c.title)
        row["IC"] = result.confidence
    row["MLversion"] = served.out.version
    return row


def _bare(code: str) -> str:
    """Return a code as INSEE writes it in files: without dots."""
    return code.replace(".", "").strip().upper()
