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
# # 11. A new version of the classification
#
# NACE Rev. 2.1 replaces Rev. 2. For a while every unit needs a code in both, the register must be
# recoded, and the series must be comparable over the change. Most codes have one successor, and the
# official table recodes them by itself. The others hold most of the work: here a model chooses
# among the successors that the table allows, and people see the cases that are worth their time.

# %% [markdown]
# Parameters: `epochs` is how long the two models learn (30 in earnest), `threshold` the confidence
# from which the model recodes without a person, `rows` how many texts form the register (0: all).

# %% tags=["parameters"]
rows = 0
epochs = 10
threshold = 0.6

# %% [markdown]
# ## The table
# ISTAT's official correspondence between ATECO 2025 (NACE Rev. 2.1) and ATECO 2022 (Rev. 2). A code
# without a counterpart is named: 46.89 is new.

# %%
import pandas as pd

from autonoe_nace.recoding import load_correspondence

table = load_correspondence("ateco2022", "ateco2025")
print("\n".join(table.report.lines()))
pd.Series(table.at(4).summary()["relations"], name="classes of ATECO 2022").to_frame()

# %% [markdown]
# Another table comes by file, with its columns named; each row that cannot be used is reported.
# For example `load_correspondence("naf-rev2", "naf2025.csv", table="s3://…/table.parquet")`.
#
# One old class that needs a decision, with the classes it can become:

# %%
classes = table.at(4)
code = max(classes.source.at_level(4), key=lambda old: len(classes.targets(old)))
print(code, classes.source.title(code), f"({classes.relation(code)})")
pd.DataFrame({"code": classes.targets(code)}).assign(
    title=lambda found: found["code"].map(classes.target.title)
).head()

# %% [markdown]
# ## Two models
# One learns the titles and notes of ATECO 2025, the other those of ATECO 2022. With your own coded
# texts they are better; nothing below changes.

# %%
from autonoe_nace.data import ateco
from autonoe_nace.data.ateco2022 import ateco2022
from autonoe_nace.training import TrainingParams, train

settings = TrainingParams(epoch=epochs, dim=20, minn=0, maxn=0, bucket=30_000, lr=1.0)
new_model = train(ateco(), settings)
old_texts = ateco2022()
old_model = train(old_texts, settings)

# %% [markdown]
# ## One call, two codes
# The answer is a pair that the table allows. Where the first code has several counterparts, they
# are listed with what chose among them.

# %%
from autonoe_nace.recoding import dual_predict

texts = ["Coltivazione di riso", "Riparazione di computer e telefoni", "Vendita online di libri"]
back = load_correspondence("ateco2025", "ateco2022")
answers = dual_predict(new_model, texts, back, second=old_model)
found = [(a.pair.source, a.pair.target, a.target_confidence) for a in answers]
pd.DataFrame(found, index=texts, columns=["ATECO 2025", "ATECO 2022", "confidence"]).round(2)

# %% [markdown]
# What was in doubt, in words. With one model only, nothing tells the counterparts apart and they
# get equal shares, which the answer says too.

# %%
for text, answer in zip(texts, answers, strict=True):
    if answer.ambiguity:
        shares = [f"{c.code} {c.probability:.0%}" for c in answer.ambiguity.candidates]
        print(f"{text}: {answer.ambiguity.why}: {', '.join(shares[:5])}")

# %% [markdown]
# ## Why not simply ask both models?
# Asked apart, they give pairs that the table does not know.

# %%
some = old_texts.texts[::20]
first = [p.candidates[0].code for p in new_model.predict(some, 1) if p.candidates]
second = [p.candidates[0].code for p in old_model.predict(some, 1) if p.candidates]
impossible = [pair not in set(back.links) for pair in zip(first, second, strict=False)]
print(f"{sum(impossible) / len(impossible):.0%} of {len(impossible)} pairs contradict the table")

# %% [markdown]
# ## A register to recode
# Real texts with their real codes of ATECO 2022, two years, and employment that is drawn: it stands
# for whatever makes one unit matter more than another. It goes to your bucket, as a register would.

# %%
import os

import pyarrow.parquet as pq
from pyarrow import fs

from autonoe_nace.recoding.example import example_register

chosen = old_texts.subset(range(0, len(old_texts), max(1, len(old_texts) // rows if rows else 1)))
place = f"s3://{os.environ['AWS_BUCKET_NAME']}/nace/recoding"
store, path = fs.FileSystem.from_uri(f"{place}/register.parquet")
pq.write_table(example_register(chosen), path, filesystem=store)

# %% [markdown]
# ## Recode it
# One successor: the table decides. Several: the model, when it is confident enough. The rest waits
# for people. Millions of rows go through in parts, and an interrupted run goes on where it stopped.

# %%
from autonoe_nace.recoding.decide import Rules
from autonoe_nace.recoding.recode import Plan, recode
from autonoe_nace.recoding.register import Columns

columns = Columns(id="unit", weight="employees", period="year")
plan = Plan(columns, Rules(threshold=threshold), fresh=True)
register = recode(f"{place}/register.parquet", table, new_model, f"{place}/recoded", plan=plan)
summary = register.summary()
pd.DataFrame(summary["by_status"]).T.round(3)

# %% [markdown]
# ## Whose minute is worth most?
# A case is all units with the same old code and the same words: one decision serves them all. Cases
# are ordered by the employment that is expected to be coded wrongly, per minute of work.

# %%
queue = register.queue(5)
shown = ["source", "text", "rows", "weight", "reason", "proposed", "gain_per_minute"]
pd.DataFrame(queue, columns=shown)

# %% [markdown]
# How far an hour goes:

# %%
from autonoe_nace.recoding.charts import effort_chart

effort_chart(summary)

# %% [markdown]
# ## People decide
# `register.write_queue(...)` writes the cases for a spreadsheet, and `register.apply(...)` takes
# the filled-in file. Here the first case gets its second candidate.

# %%
register.apply({queue[0]["item"]: queue[0]["candidates"][1]} if queue else {})
register.summary()["by_status"].get("person", "no case was open")

# %% [markdown]
# ## Both series
# The same units counted in both versions. A recoded count is an expectation; its interval says what
# the model leaves open, so that it has no width where the table or people decided.

# %%
from autonoe_nace.recoding.charts import series_chart
from autonoe_nace.recoding.series import conversion, convert, counts

sections = counts([register], level=1)
series_chart(sections, period="2024")

# %% [markdown]
# ## What became of each section
# The conversion matrix, with 95 % intervals of the shares: where the letters of Rev. 2 went.

# %%
matrix = pd.DataFrame(conversion(register, level=1))
matrix[matrix["share"] < 0.9].sort_values("share", ascending=False).head(8).round(3)

# %% [markdown]
# ## Years of which only totals are left
# The shares carry published totals over: here 1,000 persons in each of two old sections.

# %%
bridged = convert({"J": 1000.0, "S": 1000.0}, matrix.to_dict("records"))
pd.DataFrame([row for row in bridged if row["n"] >= 1]).round(0)

# %% [markdown]
# ## From the command line
# `autonoe nace dual`, `autonoe nace recode` and `autonoe nace series` do the same; `recode` reads
# and writes `s3://` addresses, so that a job can run it at night.
