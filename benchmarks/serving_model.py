"""A model of 732 classes for the benchmarks, from the titles of NAF Rev. 2.

Its accuracy means nothing: what counts is that it has the size of the model that the published
measurements used (732 subclasses), and that the texts are as long as declarations are.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

from autonoe_nace.nomenclature import load_nomenclature

NOMENCLATURE = "naf-rev2"
VARIANTS = int(os.environ.get("BENCH_VARIANTS", "12"))
_FILLERS = ("vente", "activité de", "entreprise", "à domicile", "conseil en", "création et", "bio")


def texts(*, seed: int, variants: int) -> list[tuple[str, str]]:
    """Return (text, code) pairs: words of the titles, some left out, some added, some misspelt."""
    chance = random.Random(seed)
    tree = load_nomenclature(NOMENCLATURE)
    rows = []
    for code in tree.at_level(5):
        words = tree.title(code).split()
        for _ in range(variants):
            kept = [word for word in words if chance.random() > 0.25]
            if not any(len(word) > 5 for word in kept):  # nothing but stop words, perhaps
                kept = [*words]
            if chance.random() < 0.5:
                kept.insert(chance.randrange(len(kept) + 1), chance.choice(_FILLERS))
            if chance.random() < 0.3:
                place = chance.randrange(len(kept))
                kept[place] = _misspelt(kept[place], chance)
            rows.append((" ".join(kept), code))
    chance.shuffle(rows)
    return rows


def train(folder: Path, *options: str) -> Path:
    """Train the model into ``folder`` and return its own folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "titles.csv"
    with data.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["text", "code"])
        writer.writerows(texts(seed=1, variants=VARIANTS))
    model = folder / "model"
    command = [str(Path(sys.executable).parent / "autonoe"), "nace", "train", "--data", str(data)]
    command += ["--output", str(model), "--nomenclature", NOMENCLATURE, "--epoch", "5"]
    # calibrated once: how well is not what is measured
    command += ["--calibration-rounds", "1", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=3_600)
    return model


def _misspelt(word: str, chance: random.Random) -> str:
    place = chance.randrange(len(word))
    return word[:place] + word[place + 1 :] or word
