"""The steps of the demo, each one the public function that the notebooks use too."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from autonoe.backends.base import Deployment, DeploymentRequest
from autonoe.backends.local import LocalBackend
from autonoe.errors import AutonoeError
from autonoe.waiting import wait_until
from autonoe_nace import registry, tracking
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.evaluation import evaluate
from autonoe_nace.logs import etl
from autonoe_nace.logs.place import deployment_uri
from autonoe_nace.lookup import LookupIndex
from autonoe_nace.lookup.baseline import lookup_baseline
from autonoe_nace.model import NaceModel
from autonoe_nace.monitoring import PredictionStatistics
from autonoe_nace.recoding import DualCoder, load_correspondence
from autonoe_nace.splitting import hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, RuleSet, rules_for
from autonoe_nace.training import TrainingParams, train

DEPLOYMENT = "nace-demo"
_REASON = "the demonstration serves what it trained last"
_BATCH = 500
_TIMEOUT_S = 120

Step = Callable[[str], AbstractContextManager[dict[str, Any]]]


@dataclass(frozen=True)
class Plan:
    """What the demo is to do."""

    account: str
    cache: Path
    threshold: float
    requests: int
    """Single requests to send."""
    rows: int | None
    """Rows to use; None for all."""
    fresh: bool


def run(plan: Plan, backend: LocalBackend, step: Step) -> dict[str, Any]:
    """Do all steps and return the numbers and places of each.

    Raises
    ------
    AutonoeError
        What a step needed and did not get.
    """
    with step("Read ATECO 2025") as note:
        data = ateco()
        if plan.rows:
            data = data.subset(range(0, len(data), max(1, len(data) // plan.rows)))
        note["note"] = f"{len(data):,} labelled texts"
    with step("Split by near-duplicates") as note:
        learned, held = _split(data, plan.cache)
        note["note"] = f"{len(learned):,} to learn from, {len(held):,} held out"
    with step("Train fastText") as note:
        model, folder, reused = _model(learned, plan)
        note["note"] = f"{model.id}{' (trained before)' if reused else ''}"
    with step("Evaluate on held-out texts") as note:
        scores = evaluate(model, held)
        top1 = scores["levels"][str(model.manifest.level)]["top1"]
        note["note"] = f"{top1['value']:.1%} right at level {model.manifest.level}"
    with step("Look the same texts up") as note:
        index = LookupIndex.build(learned, data.nomenclature, _rules(data))
        baseline = lookup_baseline(index, held)
        note["note"] = f"{baseline['auto_rate']:.1%} found without a model"
    with step("Code in both versions of NACE") as note:
        dual = _dual(model, held)
        note["note"] = f"{dual['settled']:.1%} have one code in {dual['version']}"
    with step("Track in MLflow") as note:
        # names of its own: a demo never moves the alias of a model that somebody works with
        name = tracking.personal_name(DEPLOYMENT, account=plan.account)
        tracked = tracking.track(folder, scores, experiment=name)
        note["note"] = f"run {tracked.run_id[:8]}{' (tracked before)' if tracked.reused else ''}"
    with step("Register as champion") as note:
        version, uri = _champion(tracked, name)
        note["note"] = f"{uri}, version {version.version}"
    with step("Deploy behind REST") as note:
        request = DeploymentRequest(DEPLOYMENT, uri, plan.threshold)
        api = backend.deploy(request, rotate_key=True)
        _wait_for_version(api, version.sha256)
        note["note"] = api.url
    with step("Call the API") as note:
        calls = _call(api, held, plan.requests)
        note["note"] = f"{calls['sent']:,} texts coded"
    with step("Logs to Parquet in S3") as note:
        report, uri = _etl(api, calls["sent"], plan.account)
        note["note"] = f"{report.new:,} rows in {uri}"
    with step("Dashboard numbers") as note:
        statistics = PredictionStatistics(uri)
        rate = statistics.automatic(plan.threshold)
        note["note"] = f"{rate} automatic at {plan.threshold:.2f}"
    return {
        "account": plan.account,
        "evaluation": scores,
        "lookup": baseline,
        "dual": dual,
        "automatic": {"threshold": plan.threshold, **asdict(rate)},
        "per_day": statistics.per_day(),
        "latency_ms": calls["latency_ms"],
        "batch_texts_per_s": calls["batch_texts_per_s"],
        "right_among_sent": calls["right"],
        "model": {"id": model.id, "name": name, "version": version.version},
        "run_path": tracked.path,
        "run_id": tracked.run_id,
        "api": api.url,
        "logs": uri,
        "etl": report.as_dict(),
    }


def _rules(data: Dataset) -> RuleSet:
    return rules_for(data.nomenclature.language)


def _dual(model: NaceModel, held: Dataset) -> dict[str, Any]:
    """Code in ATECO 2025 and 2022 at once; tell for how many the table leaves no choice."""
    table = load_correspondence()
    answers = [a for a in DualCoder(model, table).predict(held.texts) if a.pair is not None]
    settled = sum(a.ambiguity is None for a in answers) / max(1, len(answers))
    return {"version": table.target.name, "n": len(answers), "settled": settled}


def _split(data: Dataset, cache: Path) -> tuple[Dataset, Dataset]:
    """Split by groups of near-duplicates; the groups of the same data are found again."""
    known = cache / f"groups-{data.sha256[:32]}.npy"
    if known.exists():
        groups = [int(number) for number in np.load(known, allow_pickle=False)]
    else:
        prepared = Preparation(_rules(data)).all(data.texts)
        groups = near_duplicate_groups(prepared)
        partial = known.with_name(f".{known.name}")
        with partial.open("wb") as stream:
            np.save(stream, np.array(groups, dtype=np.int32), allow_pickle=False)
        partial.replace(known)
    learned, held = hold_out(groups, share=0.2, seed=1)
    return data.subset(learned), data.subset(held)


def _model(data: Dataset, plan: Plan) -> tuple[NaceModel, Path, bool]:
    """Train, or load the model that an earlier run trained on the same data."""
    params = TrainingParams() if plan.rows is None else TrainingParams(dim=20, bucket=20_000)
    recipe = f"{data.sha256} {params.model_dump_json()}"
    folder = plan.cache / f"model-{hashlib.sha256(recipe.encode()).hexdigest()[:32]}"
    if folder.exists() and not plan.fresh:
        try:
            return NaceModel.load(folder), folder, True
        except AutonoeError as error:
            if error.code not in {"model_damaged", "model_format", "model_missing"}:
                raise
    model = train(data, params)
    model.save(folder)
    return model, folder, False


def _champion(tracked: tracking.TrackedRun, name: str) -> tuple[registry.RegisteredVersion, str]:
    """Register the model and check and promote it; return its version and the alias's address."""
    version = registry.register(tracked, name=name)
    registry.promote(name, version.version, gold=None, force_reason=_REASON)
    return version, f"models:/{name}@{registry.CHAMPION}"


def _wait_for_version(api: Deployment, sha256: str) -> None:
    """Wait until the deployment answers with this model: an older one may still follow its alias.

    A deployment that ran before looks its alias up every 15 seconds.
    """

    def swapped() -> bool:
        answer = urllib3.request("GET", f"{api.local_url}health/ready", timeout=5, retries=False)
        return bool(answer.json().get("model", {}).get("sha256") == sha256)

    wait_until(
        swapped,
        timeout_s=_TIMEOUT_S,
        what="the deployment to take the new version",
        ignoring=(urllib3.exceptions.HTTPError, ValueError),
    )


def _call(api: Deployment, held: Dataset, singles: int) -> dict[str, Any]:
    """Send single requests one by one, then all texts in batches, as a client would."""
    pool = urllib3.PoolManager(
        headers={"Authorization": f"Bearer {api.api_key}"}, timeout=_TIMEOUT_S, retries=False
    )
    singles = min(singles, len(held))
    latencies = []
    for text in held.texts[:singles]:
        started = time.perf_counter()
        _predict(pool, api.url, [text])
        latencies.append((time.perf_counter() - started) * 1000)
    codes: list[str] = []
    started = time.perf_counter()
    for begin in range(0, len(held), _BATCH):
        answer = _predict(pool, api.url, held.texts[begin : begin + _BATCH])
        codes += [r["candidates"][0]["code"] if "candidates" in r else "" for r in answer]
    spent = time.perf_counter() - started
    right = sum(code == truth for code, truth in zip(codes, held.codes, strict=True))
    return {
        "sent": singles + len(held),
        "right": right / len(held),
        "latency_ms": {
            "p50": round(float(np.percentile(latencies, 50)), 2),
            "p99": round(float(np.percentile(latencies, 99)), 2),
        },
        "batch_texts_per_s": round(len(held) / spent),
    }


def _predict(pool: urllib3.PoolManager, url: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    body = {"records": [{"text": text} for text in texts], "top_k": 5}
    try:
        answer = pool.request("POST", f"{url}v1/predict", json=body)
    except urllib3.exceptions.HTTPError as error:
        raise AutonoeError(
            f"The API at {url} did not answer ({type(error).__name__}).",
            hint="`autonoe deploy list` shows its state.",
        ) from error
    document = answer.json()
    if answer.status != 200:
        raise AutonoeError(**document["error"])
    results: list[dict[str, Any]] = document["results"]
    return results


def _etl(api: Deployment, sent: int, account: str) -> tuple[etl.EtlReport, str]:
    """Bring the logs to the store; the server's last lines take a second to reach its disk."""
    uri = deployment_uri(api.name, account=account)
    total = etl.EtlReport()

    def all_there() -> bool:
        report = etl.run(Path(api.log_folder), uri)
        total.segments += report.segments
        total.new += report.new
        total.duplicates += report.duplicates
        total.corrupt += report.corrupt
        total.days = sorted({*total.days, *report.days})
        return total.new >= sent

    wait_until(all_there, timeout_s=_TIMEOUT_S, what="the logs of all calls", interval_s=0.5)
    return total, uri
