"""The model as ``mlflow models serve`` takes it: a pyfunc over ``NaceModel.predict``.

Run as ``python -m benchmarks.mlflow_model MODEL TARGET`` to write it.
"""

from __future__ import annotations

import sys
from typing import Any

import mlflow.pyfunc
import pandas as pd

from autonoe_nace.model import NaceModel


class Coder(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc]
    """Codes the column ``text`` of a table."""

    def load_context(self, context: Any) -> None:
        """Load the native model that was logged with this class."""
        self.model = NaceModel.load(context.artifacts["model"])

    def predict(self, context: Any, model_input: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the candidates of each row."""
        return [
            {
                "confidence": prediction.confidence,
                "candidates": [
                    {"code": c.code, "title": c.title, "probability": c.probability}
                    for c in prediction.candidates
                ],
            }
            for prediction in self.model.predict(model_input["text"].tolist(), 5)
        ]


if __name__ == "__main__":
    mlflow.pyfunc.save_model(
        sys.argv[2],
        python_model=Coder(),
        artifacts={"model": sys.argv[1]},
        pip_requirements=[],
        infer_code_paths=False,
    )
