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
# # 2. Train a model and track it
#
# A fastText model, calibrated, judged on texts that it has not seen, and written to MLflow with
# all that is needed to make it again: parameters, metrics, and the hashes of data, code and
# environment.

# %% [markdown]
# Parameters: your own table goes into `source` (a path or an `s3://` address), with its columns.
# `rows = 0` takes all texts; fewer make a quick trial.

# %% tags=["parameters"]
source = ""
text_column = "text"
code_column = "code"
nomenclature = "ateco2025"
rows = 0
epochs = 30

# %% [markdown]
# ## Data
# The report says what was read, what is doubtful and what could not be used.

# %%
from autonoe_nace.data import ateco, read_table
from autonoe_nace.nomenclature import load_nomenclature

columns = {"text_column": text_column, "code_column": code_column}
known = load_nomenclature(nomenclature)
data = read_table(source, nomenclature=known, **columns) if source else ateco()
data = data.subset(range(0, len(data), max(1, len(data) // rows))) if rows else data
print("\n".join(data.report.lines()))

# %% [markdown]
# ## Split by groups of near-duplicates
# A random split would flatter the model by 3 to 8 points: it would be asked what it has learned.

# %%
from autonoe_nace.splitting import hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, rules_for

prepared = Preparation(rules_for(known.language)).all(data.texts)
learned, held = hold_out(near_duplicate_groups(prepared), share=0.2, seed=1)
learned, held = data.subset(learned), data.subset(held)
print(f"{len(learned):,} texts to learn from, {len(held):,} to judge on")

# %% [markdown]
# ## Train
# One thread, so that the same data and seed give the same bits: about a minute for all of ATECO.

# %%
from autonoe_nace.training import TrainingParams, train

model = train(learned, TrainingParams(epoch=epochs))
print(model.id)

# %% [markdown]
# ## How good is it?
# Accuracy at each level with its 95 % interval: the first code alone, and one of the first five.

# %%
import pandas as pd

from autonoe_nace.evaluation import evaluate

scores = evaluate(model, held)
top1 = pd.DataFrame({level: row["top1"] for level, row in scores["levels"].items()}).T
top5 = pd.DataFrame({level: row["top5"] for level, row in scores["levels"].items()}).T
pd.concat({"first": top1, "one of five": top5}, axis=1).rename_axis("level").round(3)

# %% [markdown]
# ## What would be coded automatically?
# A text is coded by itself when its confidence (first minus second probability) reaches the
# threshold. A higher threshold leaves more to people, and makes fewer errors.

# %%
from autonoe_nace.charts import coverage_chart, coverage_table

coverage = coverage_table(model, held)
coverage_chart(coverage)

# %% [markdown]
# The same numbers as a table, to choose a threshold from.

# %%
coverage.round(3)

# %% [markdown]
# ## Track
# The model goes to MLflow as plain files with a card: no pickle, so nothing that is fetched later
# can run code. Running this cell again finds the same run.

# %%
from pathlib import Path

from autonoe_nace import tracking

folder = model.save(Path("models") / model.id)
run = tracking.track(folder, scores)
print(run.run_id, "(was there already)" if run.reused else "")

# %% [markdown]
# The run in MLflow's own pages, with parameters, metrics and files.

# %%
from autonoe_nace.links import page_link

page_link(run.path, "Open the run in MLflow")
