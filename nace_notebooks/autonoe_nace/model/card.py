"""The model card, ``README.md``: use, training data, accuracy, limits, licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from autonoe_nace.model.manifest import CARD_FILE, Manifest
from autonoe_nace.nomenclature import LEVEL_NAMES, Nomenclature

_KEEPING = ("neighbours", "lookup", "texts")
"""Parts whose files hold what the training texts said."""


def write_card(folder: Path, manifest: Manifest, nomenclature: Nomenclature) -> None:
    """Write the card of ``manifest`` into ``folder``, in the form that model hubs show."""
    (folder / CARD_FILE).write_text(render(manifest, nomenclature), encoding="utf-8")


def render(manifest: Manifest, nomenclature: Nomenclature) -> str:
    """Return the card as Markdown with a YAML head."""
    training = manifest.training
    head = {
        "language": manifest.language,
        "library_name": "fasttext",
        "pipeline_tag": "text-classification",
        "tags": ["nace", manifest.nomenclature, "official-statistics"],
        "license": "other",
    }
    level = LEVEL_NAMES[manifest.level - 1]
    sections = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        f"# Activity coding to {manifest.nomenclature}, {manifest.id}",
        f"Reads a short description of an activity and gives the most probable codes of the "
        f"nomenclature `{manifest.nomenclature}` at the level {manifest.level} ({level}), each "
        "with a calibrated probability. Confidence is the first probability minus the second.",
        "## Use\n```python\nfrom autonoe_nace.model import NaceModel\n\n"
        'NaceModel.load("FOLDER").predict(["..."], k=5)\n```',
        f"## Training data\n{_data(training)}",
        f"## Calibration and accuracy\n{_metrics(manifest)}",
        "## Limits\n"
        "- It knows only the codes that it saw: "
        f"{training.get('codes', 0):,} of {len(nomenclature.at_level(manifest.level)):,}.\n"
        "- Probabilities hold for texts like those it learned from. Check them on your own texts "
        "before you code without a person (`autonoe nace evaluate`).\n"
        "- Short or vague texts have several right codes; a low confidence means that a person "
        "should decide.",
        f"## Licence and attribution\nNomenclature: {nomenclature.attribution or 'not stated'}.\n"
        "Training texts stay under the licence of their provider; the model inherits its duties.",
        "## Reproduce\n" + _hashes(manifest),
    ]
    return "\n\n".join(sections) + "\n"


def _data(training: dict[str, Any]) -> str:
    lines = [f"- {s['source']}: {s['texts']:,} texts" for s in training.get("sources", ())]
    return "\n".join(lines) or "- not stated"


def _metrics(manifest: Manifest) -> str:
    found = manifest.calibration
    if not found.n:
        return "Too few texts to hold any out: probabilities are those of the plain softmax."
    lines = [
        f"Temperature {found.temperature:.3f}, adapting by {found.adapt:.3f}, chosen on "
        f"{found.n:,} texts of groups of near-duplicates that no calibrating model saw; the model "
        f"itself then learned from all texts. On {found.conformal_n:,} other such texts the "
        f"expected calibration error is {found.ece_before:.3f} before, {found.ece_after:.3f} "
        "after; they give the conformal sets and the accuracy below.",
        *_parts(manifest),
        "",
        "| level | n | top-1 | top-5 |",
        "| --- | --- | --- | --- |",
    ]
    for level, row in manifest.training.get("held_out", {}).items():
        lines.append(
            f"| {level} | {row['n']:,} | {_interval(row['top1'])} | {_interval(row['top5'])} |"
        )
    if manifest.training.get("near_duplicates_by") == "words":
        lines += [
            "",
            "There were too many texts to compare their characters: near-duplicates are those with "
            "the same words only, which flatters these figures a little.",
        ]
    return "\n".join([*lines, *_rules_alone(manifest)])


def _rules_alone(manifest: Manifest) -> list[str]:
    """Return what a rules engine made of the same texts does without the model."""
    found = manifest.training.get("lookup_held_out")
    if not found:
        return []
    rightly = f"; {_interval(found['accuracy'])} of those are right" if found["accuracy"] else ""
    return [
        "",
        f"A rules engine made of the same texts and asked alone codes a share of "
        f"{_interval(found['auto_rate'])} of {found['n']:,} of these texts{rightly}.",
    ]


def _parts(manifest: Manifest) -> list[str]:
    found = manifest.calibration
    lines = []
    if found.weights:
        weights = ", ".join(f"{name} {weight:.3f}" for name, weight in found.weights.items())
        lines += ["", f"Weights of the parts: {weights}."]
    keeps = [name for name in _KEEPING if any(file.startswith(name) for file in manifest.files)]
    if keeps:
        lines += ["", f"The model keeps training texts, or their words, for: {', '.join(keeps)}."]
    if found.lookup is not None:
        lines += ["", f"A rules engine answers first; it was right in {found.lookup:.1%} of cases."]
    return lines


def _interval(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _hashes(manifest: Manifest) -> str:
    lines = [f"- {name}: `{value}`" for name, value in sorted(manifest.hashes.items())]
    params = ", ".join(f"{name} {value}" for name, value in manifest.params.items())
    return "\n".join([*lines, f"- parameters: {params}"])
