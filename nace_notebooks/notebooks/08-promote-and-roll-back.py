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
# # 8. Promote, and roll back
#
# A new model serves only when it is whole, cheap enough, and better than the one it replaces, on
# texts that neither has seen, or for a reason that stays on record. If it disappoints all the same,
# one call brings the old one back.

# %% [markdown]
# Parameters: the registered model's name, and how many texts are used (0: all).

# %% tags=["parameters"]
name = "nace-lesson"
rows = 0

# %% [markdown]
# ## Gold texts, and two models
# The first learns little, the second more. The gold texts are known to neither.

# %%
from autonoe_nace.data import ateco
from autonoe_nace.splitting import hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, rules_for

data = ateco()
data = data.subset(range(0, len(data), max(1, len(data) // rows if rows else 1)))
groups = near_duplicate_groups(Preparation(rules_for("it")).all(data.texts))
learned, gold = hold_out(groups, share=0.25, seed=3)
learned, gold = data.subset(learned), data.subset(gold)
print(f"{len(learned):,} texts to learn from, {len(gold):,} gold texts")

# %% [markdown]
# The first knows the texts alone, after few passes; the second the titles of the classes too.

# %%
from autonoe_nace.training import TrainingParams, train

settings = TrainingParams(dim=20, minn=0, maxn=0, bucket=30_000, lr=0.5, epoch=10, titles=False)
modest = train(learned, settings)
better = train(learned, settings.model_copy(update={"titles": True, "lr": 1.0, "epoch": 15}))

# %% [markdown]
# ## Register both
# Two runs in MLflow, two versions; no alias is moved yet.

# %%
from pathlib import Path

from autonoe_nace import registry, tracking
from autonoe_nace.evaluation import evaluate

registered = tracking.personal_name(name)
versions = []
for model in (modest, better):
    folder = model.save(Path("models") / model.id)
    run = tracking.track(folder, evaluate(model, gold), experiment=registered)
    versions.append(registry.register(run, name=registered).version)
versions

# %% [markdown]
# ## Check a version before it may serve
# In a child process: size and hashes, loading, known answers, latency, memory. A file that was cut,
# changed or made to harm fails here and harms nobody.

# %%
report = registry.check(f"models:/{registered}/{versions[0]}")
for item in report.items:
    print("passed" if item.passed else "FAILED", item.name, item.found)

# %% [markdown]
# ## The first champion
# There is nothing to compare with yet, so it must beat the answer that needs no model.

# %%
outcome = registry.promote(registered, versions[0], gold=gold)
print(outcome.decision.sentence())

# %% [markdown]
# ## The challenger
# Compared on the same gold texts, drawn together. The gate opens when the whole interval of the
# difference lies above zero.

# %%
verdict = registry.gate(better, modest, gold)
print(verdict.sentence())
print(f"right only with the new one: {verdict.gained}, only with the old one: {verdict.lost}")

# %% [markdown]
# Servers that follow the alias swap without losing a request.

# %%
outcome = registry.promote(registered, versions[1], gold=gold)
print(outcome.decision.sentence())

# %% [markdown]
# ## The other way round is refused
# The worse model does not come back by the front door. The refusal is recorded, too.

# %%
from autonoe.errors import AutonoeError

try:
    registry.promote(registered, versions[0], gold=gold)
except AutonoeError as refused:
    print(refused.code, "-", refused.message)

# %% [markdown]
# ## Forced, with a reason
# Somebody may know what no gold text tells. Then a reason moves the alias past the gate, and stays
# beside the figures that spoke against it. A damaged file, or one of another nomenclature, is never
# forced.

# %%
why = "the series of last year needs the titles left out"
outcome = registry.promote(registered, versions[0], gold=gold, force_reason=why)
print(outcome.decision.sentence())
print("gate:", "open" if outcome.gate.passed else "closed", "- why:", outcome.decision.reason)

# %% [markdown]
# ## Back in one call
# For the day when numbers were good and users were not. Twice goes back two steps.

# %%
for reason in ("nobody uses that series", "practising the way back"):
    outcome = registry.rollback(registered, reason=reason)
    print(outcome.decision.sentence())

# %% [markdown]
# ## Who decided what, and why
# The whole history, in MLflow: it survives this notebook and its author.

# %%
for decision in registry.history(registered):
    print(decision.sentence())

# %% [markdown]
# From the command line: `autonoe nace models check`, `gate`, `promote`, `rollback`, `history`.
