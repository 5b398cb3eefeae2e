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
# # 5. Data, rules and the rules engine
#
# What people write is short, dirty and repeats itself. Before a model learns from it, this notebook
# shows what is wrong with a file, what each rule of preparation does, how columns beside the text
# are used, and how far plain look-up gets: the baseline that a model must beat. The last model here
# uses all of it.

# %% [markdown]
# Parameters: `rows` texts are used (0: all 8,000).

# %% tags=["parameters"]
rows = 2_000

# %% [markdown]
# ## A file as it comes
# Empty texts, an unknown code, a text that says nothing, a conflict. The table goes to your bucket
# and is read from there, as your own would be.

# %%
import os

import pandas as pd

texts = ["Coltivazione di riso", "coltivazione di riso", "COLTIVAZIONE DI RISO", "idem", ""]
codes = ["01.12", "01.12", "01.11", "01.12", "10.71"]
dirty = pd.DataFrame({"text": [*texts, "Panetteria"], "code": [*codes, "99.99"]})
dirty["event"] = ["creation"] * 5 + ["transfer"]

# %% [markdown]
# Nothing is dropped in silence: each finding has its rows and what was done with them.

# %%
from autonoe_nace.data import read_table
from autonoe_nace.nomenclature import load_nomenclature

address = f"s3://{os.environ['AWS_BUCKET_NAME']}/nace/data/dirty.csv"
dirty.to_csv(address, index=False, storage_options={"anon": False})
tree = load_nomenclature("ateco2025")
read = read_table(address, nomenclature=tree, feature_columns=["event"])
print("\n".join(read.report.lines()))

# %% [markdown]
# ## What each rule does
# The rules of a language are a data file: ordered, named, each with its reason, with a version.
# They travel inside the model, so that training and serving cannot differ.

# %%
from autonoe_nace.data import ateco
from autonoe_nace.text import Preparation, rules_for

data = ateco()
data = data.subset(range(0, len(data), max(1, len(data) // rows if rows else 1)))
rules = rules_for("it")
prepare = Preparation(rules)
effects = pd.Series(prepare.effects(data.texts), name=f"texts changed of {len(data):,}")
effects.to_frame()

# %% [markdown]
# One text on its way through the rules:

# %%
text = "L'attività dell'impresa è: Riparazione di telefoni cellulari, ecc."
for rule, before, after in prepare.changes(text):
    print(f"{rule.name:<20} {before!r} -> {after!r}")

# %% [markdown]
# ## Columns beside the text
# The kind of declaration, the legal form or the surface tell much. Each known value becomes one
# character that no text can hold, so that it shares no letters with any word.

# %%
from autonoe_nace.text import FeatureTokens

tokens = FeatureTokens.learn({"event": ["creation", "transfer", "creation"]})
aware = Preparation(rules, tokens)
plain, known = aware.all(["Panetteria", "Panetteria"], [{}, {"event": "transfer"}])
print(repr(plain), "becomes", known.encode("unicode_escape").decode())

# %% [markdown]
# ## Repetition and contradiction
# The ceiling is the share of texts that any model could get right from these columns alone.

# %%
from autonoe_nace.data.duplicates import find_duplicates

found = find_duplicates(data)
print(f"{found.texts:,} texts, {found.distinct:,} distinct, {found.repeated:,} repeated")
print(f"{len(found.conflicts):,} texts contradict others; ceiling {found.ceiling:.1%}")
print(f"{found.groups:,} groups of near-duplicates")

# %% [markdown]
# ## Texts of the classes themselves
# Titles and explanatory notes are training material too. A bullet on what a class leaves out is a
# text of the class that it names.

# %%
from autonoe_nace.data import read_class_texts

kinds = ["title", "include", "include_also", "exclude_ref"]
sizes = {
    kind: len(read_class_texts("ateco2025", nomenclature=tree, kinds=[kind])) for kind in kinds
}
pd.Series(sizes, name="texts").to_frame()

# %% [markdown]
# ## The baseline: look it up
# Exactly, then after preparation, then within longer entries. Its rate and its accuracy are always
# shown beside the model's, on texts that it was not built from.

# %%
from autonoe_nace.lookup import LookupIndex
from autonoe_nace.lookup.baseline import lookup_baseline
from autonoe_nace.splitting import hold_out, near_duplicate_groups

learned, held = hold_out(near_duplicate_groups(prepare.all(data.texts)), share=0.2, seed=1)
index = LookupIndex.build(data.subset(learned), tree, rules)
baseline = lookup_baseline(index, data.subset(held))
print(f"{baseline['auto_rate']:.1%} of {baseline['n']} texts found")
print("right among them:", f"{baseline['accuracy_auto'] or 0:.1%}")
pd.DataFrame(baseline["rules"]).T

# %% [markdown]
# ## A model that uses both
# Here a column stands beside the text, as many forms have one: the branch that the firm ticks. It
# is invented, since ATECO's texts have none: it is the section of the code.

# %%
from dataclasses import replace

branches = tuple(tree.ancestor(code, 1) for code in data.codes)
told = replace(data, features={"branch": branches})
pd.Series(branches).value_counts().head()

# %% [markdown]
# With `lookup` the rules engine answers first where it is sure, and the model answers the rest. The
# column counts in both.

# %%
from autonoe_nace.training import TrainingParams, train

settings = TrainingParams(epoch=30, dim=20, minn=0, maxn=0, bucket=30_000, lr=1.0, lookup=True)
model = train(told.subset(learned), settings)
print("side variables:", ", ".join(model.prepare.features.columns))
print(f"rules engine: right in {model.manifest.calibration.lookup:.1%} of texts held out")

# %% [markdown]
# What is the column worth? The same model judges the same texts twice: told what was ticked, and
# not told.

# %%
from autonoe_nace.evaluation import evaluate

judged = {"text and branch": told.subset(held), "text alone": data.subset(held)}
levels = {name: evaluate(model, part)["levels"] for name, part in judged.items()}
top1 = {
    name: {level: row["top1"]["value"] for level, row in found.items()}
    for name, found in levels.items()
}
pd.DataFrame(top1).rename_axis("level").round(3)

# %% [markdown]
# Who answered? `stage` says `lookup` for a title that is known word for word, and `model` for the
# others, whose code may change with the branch.

# %%
texts = ["Coltivazione di riso", "Calzature", "Calzature"]
boxes = [{"branch": "A"}, {"branch": "C"}, {"branch": "G"}]
found = [(a.candidates[0], a.stage) for a in model.predict(texts, 1, features=boxes)]
answers = [(first.code, first.title, stage) for first, stage in found]
pd.DataFrame(answers, index=texts, columns=["code", "title", "stage"])

# %% [markdown]
# From the command line: `autonoe nace rules`, `duplicates`, `split`, `class-texts`, `lookup`, and
# `autonoe nace train --feature-column branch --lookup`.
