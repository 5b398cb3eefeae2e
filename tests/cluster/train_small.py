"""Train a small model, track and register it: run in a pod of the tenant, prints the address."""

from __future__ import annotations

import sys
from pathlib import Path

from autonoe.credentials import session
from autonoe_nace import registry, tracking
from autonoe_nace.data import ateco
from autonoe_nace.evaluation import evaluate
from autonoe_nace.training import TrainingParams, train

data = ateco()
small = data.subset(range(0, len(data), 20))
model = train(small, TrainingParams(dim=10, bucket=2_000, epoch=5))
folder = model.save(Path("/tmp") / model.id)  # noqa: S108  the pod's own
with session():
    run = tracking.track(folder, evaluate(model, small), experiment=sys.argv[1])
    version = registry.register(run, name=sys.argv[1])
    registry.promote(
        version.name,
        version.version,
        gold=None,
        force_reason="a first model",
        cache=Path("/tmp/fetched"),  # noqa: S108  the pod's own
    )
    sys.stdout.write(f"models:/{version.name}@champion")
