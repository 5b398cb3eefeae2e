"""Pictures and tables of a model's quality, for notebooks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from autonoe_nace.data import Dataset
from autonoe_nace.evaluation import wilson
from autonoe_nace.model import NaceModel

_BLUE, _GREY = "#0072B2", "rgba(0, 114, 178, 0.2)"
_HIGHEST = 0.95


def section_chart(data: Dataset) -> go.FigureWidget:
    """Return the number of texts of each section; the title says which has most.

    Parameters
    ----------
    data : Dataset
        Labelled texts.
    """
    counts = pd.Series([data.nomenclature.ancestor(code, 1) for code in data.codes]).value_counts()
    figure = go.FigureWidget()
    figure.add_bar(x=counts.index, y=counts.to_numpy(), marker_color=_BLUE)
    figure.update_layout(
        title=f"Section {counts.index[0]} has {counts.iloc[0] / len(data):.0%} of all texts",
        xaxis_title="Section",
        yaxis_title="Texts",
        template="plotly_white",
        height=320,
    )
    return figure


def coverage_table(model: NaceModel, data: Dataset, *, step: float = 0.05) -> pd.DataFrame:
    """Return what each threshold would code automatically, and how well.

    Parameters
    ----------
    model : NaceModel
        The model to judge.
    data : Dataset
        Labelled texts that it did not learn from.
    step : float
        Distance of the thresholds, in (0, 1).

    Returns
    -------
    DataFrame
        Index ``threshold``; columns ``automatic`` (share of texts), ``n``, ``accuracy`` (share of
        those whose first code is right) with its 95 % Wilson interval ``low`` and ``high``.
        A threshold that no text reaches has no row.
    """
    truth = [model.nomenclature.ancestor(code, model.manifest.level) for code in data.codes]
    answers = model.predict(data.texts, k=1)
    confidence = np.array([answer.confidence for answer in answers])
    right = np.array(
        [
            bool(answer.candidates) and answer.candidates[0].code == code
            for answer, code in zip(answers, truth, strict=True)
        ]
    )
    rows = []
    for threshold in np.arange(0, _HIGHEST + step / 2, step):
        chosen = confidence >= threshold
        n = int(chosen.sum())
        if n:
            rate = wilson(int(right[chosen].sum()), n)
            rows.append(
                {
                    "threshold": round(float(threshold), 4),
                    "automatic": n / len(answers),
                    "n": n,
                    "accuracy": rate["value"],
                    "low": rate["low"],
                    "high": rate["high"],
                }
            )
    return pd.DataFrame(rows).set_index("threshold")


def coverage_chart(coverage: pd.DataFrame, *, threshold: float = 0.8) -> go.FigureWidget:
    """Return accuracy against the share that is coded automatically, with its interval.

    Parameters
    ----------
    coverage : DataFrame
        From :func:`coverage_table`.
    threshold : float
        Row that the title speaks of; the nearest one is taken.
    """
    nearest = min(coverage.index, key=lambda value: abs(value - threshold))
    row = coverage.loc[nearest]
    share = 100 * coverage["automatic"]
    figure = go.FigureWidget()
    figure.add_scatter(
        x=[*share, *share[::-1]],
        y=[*(100 * coverage["high"]), *(100 * coverage["low"][::-1])],
        fill="toself",
        fillcolor=_GREY,
        line={"width": 0},
        hoverinfo="skip",
        name="95 % interval",
    )
    figure.add_scatter(
        x=share,
        y=100 * coverage["accuracy"],
        mode="lines+markers",
        line_color=_BLUE,
        name="Accuracy",
        text=[f"threshold {value:.2f}" for value in coverage.index],
    )
    figure.update_layout(
        title=f"At {nearest:.2f}, {row['automatic']:.0%} are coded automatically, "
        f"{row['accuracy']:.0%} of them right",
        xaxis_title="Coded automatically (% of texts)",
        yaxis_title="Right (% of those)",
        template="plotly_white",
        height=380,
    )
    return figure
