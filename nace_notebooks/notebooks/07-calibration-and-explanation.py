# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python (Autonoe)
#     language: python
#     name: autonoe-python
# ---

# %% [markdown]
# # 7. Calibration, sets with a coverage, and explanation
#
# A score is worth something when it is a probability. Then one can say: coarser when unsure, all
# codes that are still possible, and which words spoke for the answer.

# %% [markdown]
# Parameters: `rows` texts are learned (0: all), in `epochs` passes.

# %% tags=["parameters"]
rows = 0
epochs = 10

# %% [markdown]
# ## Train with a part for calibration
# A first model learns without a part of the texts, whole groups of near-duplicates. Some of them
# give the temperature that turns scores into probabilities, the others the sets below and the
# accuracy on the card. The model that you get then learns from all texts, these too. The texts are
# public here, so that the model may keep them for its explanations.

# %%
from autonoe_nace.data import ateco
from autonoe_nace.training import TrainingParams, train

data = ateco()
data = data.subset(range(0, len(data), max(1, len(data) // rows if rows else 1)))
model = train(data, TrainingParams(epoch=epochs, dim=20, minn=0, maxn=0, bucket=30_000, lr=1.0))
found = model.manifest.calibration
print(f"temperature {found.temperature:.2f}, chosen on {found.n:,} texts")
print(f"calibration error {found.ece_before:.3f} before, {found.ece_after:.3f} after")

# %% [markdown]
# ## One confidence
# First probability minus second, everywhere: for tuning, serving and monitoring.

# %%
import pandas as pd

texts = ["Coltivazione di riso", "Vendita di libri usati", "Consulenza informatica", "Servizi vari"]
answers = model.predict(texts, k=3)
first = [a.candidates[0] for a in answers]
columns = {
    "code": [c.code for c in first],
    "title": [c.title for c in first],
    "confidence": [a.confidence for a in answers],
}
pd.DataFrame(columns, index=texts).round(2)

# %% [markdown]
# ## When the finest level is unsure
# The code of the deepest level that reaches the wanted confidence: a division that is right beats
# a class that is guessed.

# %%
for text, answer in zip(texts, model.predict(texts, fallback_at=0.6), strict=True):
    code = answer.fallback
    print(f"{text}: {f'{code.code} {code.title}' if code else 'no level is sure enough'}")

# %% [markdown]
# ## All that is still possible
# A set that holds the right code in nine of ten cases. Its size says how hard a text is.

# %%
for text, answer in zip(texts, model.predict(texts, coverage=0.9), strict=True):
    print(f"{text}: {len(answer.conformal or ())} codes, first {', '.join(answer.conformal[:5])}")

# %% [markdown]
# ## Why this code?
# The contribution of each word and letter group, exact: they add up to the difference between the
# chosen code and the next one. Below, training texts that are alike, and the official note.

# %%
model.explain(texts[1])

# %% [markdown]
# Against a code of your choice, when somebody asks "why not that one?":

# %%
other = answers[1].candidates[2].code
explained = model.explain(texts[1], against=other)
print(f"{explained.code} rather than {other}: log-odds {explained.log_odds:+.2f}")
pd.DataFrame([(w.word, w.value) for w in explained.words], columns=["word", "speaks for it"]).round(
    2
)

# %% [markdown]
# ## The same bits again
# Same data, parameters and versions: the same file, byte for byte, and the same model id. The
# manifest holds the hashes by which any answer can be traced.

# %%
model.manifest.hashes

# %% [markdown]
# ## The same answer again
# "Why did you code us so, in March?" The log names the model that answered by its hash, and that
# one gives the answer again. The log here is made by this model; a deployment's log looks the same.

# %%
from pathlib import Path

from autonoe_nace.logs.example import Story, write_example_logs

folder = model.save(Path("models") / model.id)
log = "replay/service=lesson"
(day,) = write_example_logs(model, data, log, Story(days=1, per_day=40, changed_days=0))
print(f"40 answers of {day}")

# %% [markdown]
# Codes, probabilities, confidence, stage and fallback are compared. What has changed around the
# model since it was trained, such as a version of NumPy, would be named too.

# %%
from autonoe_nace.replay import from_folder, read_rows, replay

logged = list(read_rows(log, day=day))
report = replay(logged, from_folder(folder))
print("\n".join(report.lines()))

# %% [markdown]
# A line that somebody changed afterwards does not pass: here the order of its codes is turned.

# %%
from msgspec.structs import replace

changed = replace(logged[0], codes=logged[0].codes[::-1])
print("\n".join(replay([changed, *logged[1:]], from_folder(folder)).lines()))

# %% [markdown]
# A deployment's answers need no folder: `replay(read_rows(deployment_uri("nace-api")),
# from_registry(default_cache()))` fetches each version that answered. From the command line:
# `autonoe nace predict`, `explain`, and `replay s3://… --request-id ID` for one answer.
