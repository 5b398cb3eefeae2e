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
# # 10. A gold standard by people, and a better model from it
#
# How good is the service really? A sample of what it coded is coded again by people, with known
# probabilities, so that it speaks for all. What they say becomes the gold standard that judges
# models, and material for the next one.
#
# People code in Label Studio, which `autonoe nace annotate start` installs and starts. A notebook
# that runs to its end cannot wait for them, so here they are played: two coders who know the truth
# and err in one case of ten.

# %% [markdown]
# Parameters: the logs (empty: invented ones), the size of the sample, and how much is learned.

# %% tags=["parameters"]
logs_uri = ""
size = 360
epochs = 8
name = "nace-lesson-gold"

# %% [markdown]
# ## Logs to draw from
# A model that learned a quarter of the texts has coded four weeks of them; the answers are real,
# the days are invented.

# %%
from autonoe_nace.data import ateco
from autonoe_nace.logs.example import Story, truth_of, write_example_logs
from autonoe_nace.logs.place import deployment_uri
from autonoe_nace.training import TrainingParams, train

place = logs_uri or deployment_uri("lesson-gold")
data = ateco()
params = {"epoch": epochs, "dim": 20, "minn": 0, "maxn": 0, "bucket": 30_000, "lr": 1.0}
weak = train(data.subset(range(0, len(data), 4)), TrainingParams(**params))
days = [] if logs_uri else write_example_logs(weak, data, place, Story(changed_days=0))

# %% [markdown]
# ## Draw
# By bands of confidence and by section; low confidence more often, since a label teaches most
# there. Each text knows its probability, and its weight goes with it into every figure.

# %%
import pandas as pd

from autonoe_nace.annotation.design import Design
from autonoe_nace.annotation.sampling import draw

sample = draw(place, data.nomenclature, Design(size), months=2)
print(f"{sample.rows.num_rows} texts stand for {sample.population:,.0f}")
pd.DataFrame(sample.summary()["strata"]).head(6)

# %% [markdown]
# ## Two people code each text, and a third settles
# With Label Studio: `autonoe nace annotate push` and `pull`. The page hides the model's answer
# unless you ask for help, searches the nomenclature, and offers "cannot be coded".

# %%
from autonoe_nace.annotation.example import gold_rows, played_coder

texts, proposals = sample.rows["text"].to_pylist(), sample.rows["codes"].to_pylist()
truth = truth_of(texts, data)
anna, ben = (played_coder(truth, proposals, seed=seed) for seed in (1, 2))
settled = [a if a == b else right for a, b, right in zip(anna, ben, truth, strict=True)]

# %% [markdown]
# ## Do people agree?
# Percent and Cohen's kappa: what a model can be asked for ends where people disagree.

# %%
from autonoe_nace.annotation.agreement import kappa

same = sum(a == b for a, b in zip(anna, ben, strict=True)) / len(anna)
agreement = kappa(anna, ben, weights=sample.rows["weight"].to_pylist())
print(f"{same:.1%} agree, kappa {agreement['value']:.2f}")

# %% [markdown]
# ## How good was the service?
# Weighted, so that it speaks for all texts and not for the doubtful ones that were drawn more
# often: of what went through automatically, and of all.

# %%
from autonoe_nace.annotation.estimation import share

weights, strata = (sample.rows[column].to_pylist() for column in ("weight", "stratum"))
right = [a == b for a, b in zip(sample.rows["code"].to_pylist(), settled, strict=True)]
everything = share(right, weights, strata)
automatic = share(right, weights, strata, domain=sample.rows["auto"].to_pylist())
print(f"all: {everything.value:.1%} ({everything.low:.1%} to {everything.high:.1%})")
print(f"automatic: {automatic.value:.1%} ({automatic.low:.1%} to {automatic.high:.1%})")

# %% [markdown]
# ## Gold, in the store
# The dashboard, the alerts and the next retraining read it there.

# %%
import os

from autonoe_nace.annotation.store import AnnotationStore

gold = f"s3://{os.environ['AWS_BUCKET_NAME']}/nace/lesson-gold"
rows = gold_rows(sample.rows, settled, name="lesson")
AnnotationStore(gold).write("gold", "lesson", rows)

# %% [markdown]
# ## Retrain
# Half of the gold only ever judges; the rest is learned with the base data. The challenger becomes
# champion if it is better on the judging half, with an interval above zero. Equal labels are one
# run: repeated, it does nothing.

# %%
from autonoe_nace.retraining import RetrainPlan, retrain
from autonoe_nace.tracking import personal_name

plan = RetrainPlan(gold=gold, name=personal_name(name), params=params, because="a lesson")
outcome = retrain(plan, say=print)
print(outcome["message"])

# %% [markdown]
# What was compared, and on how many texts:

# %%
outcome["gate"]

# %% [markdown]
# The same by hand, by the clock or by an alert: `autonoe nace retrain`, `--schedule`, or the action
# `retrain` in a rule file.
