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
# # 6. Tune and evaluate
#
# Which parameters are best, how sure is that, and from which confidence may a code go into the
# register unseen? A search on Dask answers the first, a bootstrap the second, costs the third.

# %% [markdown]
# Parameters: `rows` texts are used (0: all) and `folds` parts; each candidate is trained once a
# fold. `scheduler` is the address of a Dask cluster; empty takes processes of this machine.

# %% tags=["parameters"]
rows = 1_500
folds = 2
workers = 1
scheduler = ""

# %% [markdown]
# ## Texts in the store
# The search reads them from your bucket, so that workers on other machines find them too.

# %%
import os

import pandas as pd

from autonoe_nace.data import ateco

data = ateco()
data = data.subset(range(0, len(data), max(1, len(data) // rows if rows else 1)))
address = f"s3://{os.environ['AWS_BUCKET_NAME']}/nace/data/search.parquet"
table = pd.DataFrame({"text": data.texts, "code": data.codes})
table.to_parquet(address, storage_options={"anon": False})

# %% [markdown]
# ## What is searched
# A grid here, draws further down. Folds keep near-duplicates together.

# %%
from autonoe_nace.search import Material, SearchPlan
from autonoe_nace.search.space import grid

plan = SearchPlan.of(
    kind="grid",
    material=Material(data=address, nomenclature="ateco2025"),
    folds=folds,
    base={"bucket": 20_000, "epoch": 5, "minn": 0, "maxn": 0},
    candidates=grid(["dim=10,20", "lr=0.5,1.0"]),
)

# %% [markdown]
# The hash of the texts goes into the plan: the same search on other texts is another one.

# %%
from autonoe_nace.search.folds import gather

material = gather(plan)
plan = plan.model_copy(update={"sha256": material.sha256, "compared": material.compared})
plan.id

# %% [markdown]
# ## Search
# Each fold is kept as soon as it is done. `track=True` makes a run of the search in MLflow, below
# it one of each candidate, below that one of each fold.

# %%
from pathlib import Path

from autonoe_nace.search import Store, Workers, search

store = Store.create(Path("searches") / plan.id, plan)
cluster = Workers(scheduler=scheduler, count=workers)
found = search(store, cluster, material=material, track=True)
shown = [
    {**row["params"], "top1": row["top1"], **row.get("behind", {})} for row in found["candidates"]
]
pd.DataFrame(shown).round(3)

# %% [markdown]
# The last columns say how far a candidate lies behind the best one, with its 95 % interval: if the
# interval holds zero, the search has not told them apart.

# %% [markdown]
# ## The search in MLflow
# Runs are known by the search: the cell above, run again, doubles none.

# %%
from autonoe_nace.links import page_link
from autonoe_nace.search.runs import SearchRuns

runs = SearchRuns(plan)
print(f"{len(runs.finished())} of {found['total']} folds are in MLflow")
page_link(runs.path, "Open the search in MLflow")

# %% [markdown]
# ## Draw instead of a grid
# Where the parameters are many, draws find good values sooner than a grid. The same seed draws the
# same candidates. The plan of the first search serves again, with other candidates.

# %%
from autonoe_nace.search.space import sample

candidates = sample(["lr=loguniform:0.3:1.2", "dim=int:10:30"], n=3, seed=1)
values = {**plan.model_dump(), "kind": "random", "candidates": candidates}
drawn = SearchPlan.of(**values)
pd.DataFrame(candidates)

# %% [markdown]
# ## Go on after an interruption
# A search that was killed is a folder that holds some of its folds. Here it is made on purpose:
# the first candidate alone is run, in this very process.

# %%
from autonoe_nace.search import overview, run_one

begun = Store.create(Path("searches") / drawn.id, drawn)
run_one(drawn, 0, store=begun)
print("before: {done} of {total} folds".format(**overview(begun)))

# %% [markdown]
# The usual call runs what is missing and nothing else; the shell has `autonoe nace search resume`.
# It refuses when the texts are others than at the beginning.

# %%
ended = search(
    Store.open(begun.folder),
    cluster,
    progress=lambda stage, share: print(f"{stage}: {share:.0%}"),
)
print("after: {done} of {total} folds".format(**ended))

# %% [markdown]
# ## Judge the best
# Trained on four fifths, judged on groups of texts that it has not seen.

# %%
from autonoe_nace.splitting import hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, rules_for
from autonoe_nace.training import train

prepared = Preparation(rules_for("it")).all(data.texts)
learned, held = hold_out(near_duplicate_groups(prepared), share=0.2, seed=1)
learned, held = data.subset(learned), data.subset(held)
best = plan.params(found["best"])
model = train(learned, best)

# %% [markdown]
# Everything about its worth in one document: each estimate with its bootstrap interval.

# %%
from autonoe_nace.evaluation import Costs, Options, assess

costs = Costs(minutes_per_review=1.0, hourly_wage=30.0, wrong_code=5.0)
document = assess(model, held, Options(replicates=200, costs=costs))
figures = ["top1", "top3", "top5", "macro_f1", "ece", "brier"]
rows_ = {level: {f: row[f]["value"] for f in figures} for level, row in document["levels"].items()}
pd.DataFrame(rows_).T.rename_axis("level").round(3)

# %% [markdown]
# ## Are the probabilities honest?
# Of the texts with a confidence of 80 %, 80 % should be right.

# %%
from autonoe_nace.evaluation.plots import coverage_plot, reliability_plot

reliability_plot(document["levels"][str(model.manifest.level)])

# %% [markdown]
# ## From which confidence on?
# The more is coded automatically, the more is wrong. What a minute of review and a wrong code cost
# decides where to stop.

# %%
coverage_plot(document)

# %% [markdown]
# The cheapest threshold, with the interval that the sample leaves:

# %%
cheapest = document["threshold"]["overall"]
value = cheapest["threshold"]["value"]
print(
    f"recommended: {value:.2f}; saves {cheapest['hours_saved_per_1000']:.1f} hours in 1,000 texts"
)
kept = ["threshold", "coverage", "accuracy", "cost_per_1000"]
pd.DataFrame({name: cheapest[name] for name in kept}).T.round(2)

# %% [markdown]
# ## Is another one better?
# Two models on the same texts, drawn together: only differences count.

# %%
from autonoe_nace.evaluation import compare

other = train(learned, best.model_copy(update={"epoch": 10}))
difference = compare(model, other, held, replicates=500)
difference["levels"][str(model.manifest.level)]["top1"]

# %% [markdown]
# ## A page to hand on
# One HTML file with all plots and tables; it needs no server.

# %%
from autonoe_nace.evaluation import write_report

page = write_report(document, "reports/evaluation.html", nomenclature=model.nomenclature)
print(page)

# %% [markdown]
# From the command line: `autonoe nace search grid`, `evaluate`, `threshold`, `compare`. The same
# search as an Argo workflow: `autonoe nace search argo`.
