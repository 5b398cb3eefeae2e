"""What a run in MLflow says of a model: its figures, and those of the rules beside them."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from autonoe_nace import tracking
from autonoe_nace.data import ateco
from autonoe_nace.evaluation import Options, assess, evaluate
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import mlflow

__all__ = ["mlflow"]

PARAMS = TrainingParams(dim=10, epoch=5, bucket=2_000, titles=False, keep_texts=False)


def test_a_run_shows_what_rules_alone_did(mlflow: str, tmp_path: Path) -> None:
    model = train(ateco().subset(range(0, 6_000, 6)), PARAMS)
    rules = model.manifest.training["lookup_held_out"]
    gold = ateco().subset(range(5, 3_000, 40))
    folder = model.save(tmp_path / "model")
    for name, figures in (
        ("short", evaluate(model, gold)),
        ("full", assess(model, gold, Options(replicates=20))),
    ):
        run = tracking.track(folder, figures, experiment=f"rules-{name}")
        logged = MlflowClient().get_run(run.run_id).data.metrics
        assert logged["lookup_held_out.n"] == rules["n"] > 0
        assert logged["lookup_held_out.auto_rate.value"] == rules["auto_rate"]["value"]
        assert logged["lookup_held_out.accuracy.value"] == rules["accuracy"]["value"]
        assert logged["levels.4.top1.value"] == figures["levels"]["4"]["top1"]["value"]
