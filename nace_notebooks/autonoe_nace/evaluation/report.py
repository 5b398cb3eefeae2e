"""The evaluation as one HTML file: plots, the same numbers as tables, nothing from a network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autonoe_nace.nomenclature import Nomenclature

_NONE = "\N{EN DASH}"
_TEMPLATE = "report.html.j2"
_CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["lasso2d"]}


def write_report(
    document: dict[str, Any],
    path: str | Path,
    *,
    nomenclature: Nomenclature | None = None,
    source: str = "",
) -> Path:
    """Write what :func:`autonoe_nace.evaluation.assess` returned as a page for people.

    Parameters
    ----------
    document : dict
        The full evaluation.
    path : str or Path
        The file; its folder is made when missing. It appears whole or not at all.
    nomenclature : Nomenclature, optional
        For its name and attribution.
    source : str
        Where the texts come from; of a path only the file's name is shown.

    Returns
    -------
    Path
        The file, about 5 MB: the plotting library is in it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = render(document, nomenclature=nomenclature, source=source)
    scratch = target.with_name(f".{target.name}.part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(target)
    return target


def render(
    document: dict[str, Any], *, nomenclature: Nomenclature | None = None, source: str = ""
) -> str:
    """Return the page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    from autonoe_nace.evaluation.plots import level_name

    engine = Environment(
        loader=PackageLoader("autonoe_nace.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters.update(
        estimate=_estimate, percent=_percent, interval=_interval, level_name=level_name
    )
    levels = document["levels"]
    finest = list(levels)[-1]
    return engine.get_template(_TEMPLATE).render(
        document=document,
        levels=levels,
        finest=finest,
        plots=_plots(document, finest),
        plotly=get_plotlyjs(),
        nomenclature=nomenclature.name if nomenclature else "",
        attribution=nomenclature.attribution if nomenclature else "",
        source=source if source.startswith("s3://") else PurePath(source).name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _plots(document: dict[str, Any], finest: str) -> dict[str, str]:
    from autonoe_nace.evaluation import plots

    levels = document["levels"]
    row = levels[finest]
    broadest = next(iter(levels))
    figures = {
        "levels": plots.accuracy_by_level(levels),
        "coverage": plots.coverage_plot(document),
        "cost": plots.cost_plot(document["threshold"]),
        "reliability": plots.reliability_plot(row),
        "bias": plots.bias_plot(levels[broadest]["classes"], broadest),
    }
    if row["confusion"]["within"] and row["confusion"]["wrong"] > 0:
        figures["mistakes"] = plots.mistakes_plot(row["confusion"], finest)
    return {
        name: figure.to_html(
            full_html=False, include_plotlyjs=False, config=_CONFIG, div_id=f"plot-{name}"
        )
        for name, figure in figures.items()
    }


def _estimate(cell: dict[str, Any] | None, digits: int = 3, sign: bool = False) -> str:
    """Write an estimate with its interval; a dash where it is not defined."""
    if cell is None or cell["value"] is None:
        return _NONE
    form = f"{{:{'+' if sign else ''},.{digits}f}}"
    value = form.format(cell["value"])
    if cell["low"] is None:
        return value
    return f"{value} ({form.format(cell['low'])} to {form.format(cell['high'])})"


def _percent(cell: dict[str, Any] | None) -> str:
    if cell is None or cell["value"] is None:
        return _NONE
    value, low, high = (100 * cell[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _interval(cell: dict[str, Any]) -> str:
    low, high = (100 * cell[name] for name in ("low", "high"))
    return f"between {low:.1f} and {high:.1f}"
