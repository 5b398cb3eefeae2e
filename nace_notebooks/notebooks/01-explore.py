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
# # 1. Look at the data
#
# Which texts are there, which codes do they carry, and what is wrong with them? The answers decide
# how a model may be trained and judged. The default data are the titles and notes of **ATECO 2025**
# (© ISTAT, CC BY 4.0), Italy's version of NACE Rev. 2.1.
#
# No key is typed anywhere: this kernel has the platform's credentials already. The card shows
# whose they are and what they open; its button writes, reads and removes an object.

# %%
from autonoe import panels

panels.credentials()

# %% [markdown]
# Parameters first: `rows = 0` takes all texts, a few hundred make a quick look.

# %% tags=["parameters"]
rows = 0

# %% [markdown]
# ## The texts and what was found in them
# Every odd row is counted and shown by number; none is dropped in silence.

# %%
from autonoe_nace.data import ateco

data = ateco()
data = data.subset(range(0, len(data), max(1, len(data) // rows))) if rows else data
print("\n".join(data.report.lines()))

# %% [markdown]
# A look at a few texts beside their codes and titles: are they what a respondent would write?

# %%
import pandas as pd

table = pd.DataFrame({"text": data.texts, "code": data.codes})
table["title"] = table["code"].map(data.nomenclature.title)
table.sample(8, random_state=1)

# %% [markdown]
# ## How evenly are the codes covered?
# A class with one text can be learned but not judged. Classes that are rare here are the ones
# where a person will have to look.

# %%
per_class = table["code"].value_counts()
print(f"{len(per_class)} classes, {per_class.median():.0f} texts in the median class")
print(f"{(per_class == 1).sum()} classes have a single text")
per_class.describe().round(1)

# %% [markdown]
# The same by section, the broadest level, as a picture.

# %%
from autonoe_nace.charts import section_chart

section_chart(data)

# %% [markdown]
# ## What the model will see
# Preparation takes away accents, articles and endings. The rules are data files, and they travel
# with the model, so that training and serving cannot differ.

# %%
from autonoe_nace.text import Preparation, rules_for

prepare = Preparation(rules_for(data.nomenclature.language))
table["prepared"] = prepare.all(data.texts)
table[["text", "prepared"]].sample(5, random_state=2)

# %% [markdown]
# ## Near-duplicates
# Two texts that say the same must not fall on both sides of the split, or the model is judged on
# what it has learned by heart. So groups are split, not rows.

# %%
from autonoe_nace.splitting import near_duplicate_groups

groups = near_duplicate_groups(list(table["prepared"]))
print(f"{len(groups):,} texts form {len(set(groups)):,} groups of near-duplicates")

# %% [markdown]
# ## Keep the table in the object store
# Your bucket is yours alone. Any client reads it from here: boto3, polars, DuckDB, s3fs.

# %%
import os

address = f"s3://{os.environ['AWS_BUCKET_NAME']}/nace/data/texts.parquet"
table[["text", "code"]].to_parquet(address, storage_options={"anon": False})
print(address)

# %% [markdown]
# The same file, asked with DuckDB, which takes the same credentials. A cell that begins with
# `%%sql` asks it in SQL.

# %%
import duckdb

stored = duckdb.read_parquet(address)
stored.aggregate("code, count(*) AS n").order("n DESC, code").limit(5).df()
