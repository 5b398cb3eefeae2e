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
# # 9. Monitoring, drift and alerts
#
# A model does not change, the world does. What is logged of each prediction tells when: here four
# weeks of logs, in the last of which other firms register than before. The answers are real, of a
# model trained below; only the days are invented. With a service of your own, use its address.

# %% [markdown]
# Parameters: where the logs are (empty: invented ones), how many texts a day, and the threshold.

# %% tags=["parameters"]
logs_uri = ""
per_day = 100
threshold = 0.6
epochs = 8

# %% [markdown]
# ## Logs
# One Parquet file a day below your bucket, as `autonoe nace etl` writes them.

# %%
from autonoe_nace.data import ateco
from autonoe_nace.logs.example import Story, write_example_logs
from autonoe_nace.logs.place import deployment_uri
from autonoe_nace.training import TrainingParams, train

place = logs_uri or deployment_uri("lesson")
data = ateco()
settings = TrainingParams(epoch=epochs, dim=20, minn=0, maxn=0, bucket=30_000, lr=1.0)
model = train(data.subset(range(0, len(data), 4)), settings)
days = [] if logs_uri else write_example_logs(model, data, place, Story(per_day=per_day))

# %% [markdown]
# ## The numbers of each day
# Requests, errors and latency; and the share that was coded automatically, with its interval.

# %%
import pandas as pd

from autonoe_nace.monitoring import Logs, PredictionStatistics

statistics = PredictionStatistics(place)
shown = pd.DataFrame(statistics.automatic_per_day(threshold)).set_index("date")
shown.tail(10).round(3)

# %% [markdown]
# What would we have had at another threshold?

# %%
for value in (0.4, 0.6, 0.8):
    print(f"{value:.1f}: {statistics.automatic(value)}")

# %% [markdown]
# ## Two weeks compared
# Differences with their intervals, not two numbers side by side.

# %%
from datetime import UTC, datetime, timedelta

from autonoe_nace.monitoring import Window, compare, drift

logs = Logs(place)
yesterday = datetime.now(UTC).date() - timedelta(days=1)
after = Window(yesterday - timedelta(days=6), yesterday)
before = Window(after.first - timedelta(days=14), after.first - timedelta(days=1))
found = compare(logs, before, after, threshold=threshold, tree=data.nomenclature)
found["automatic"]

# %% [markdown]
# Which sections grew or shrank most:

# %%
pd.json_normalize(found["sections"]).head(5).round(3)

# %% [markdown]
# ## Drift: how far, and how far anyway
# With millions of rows every test is significant. So distances are shown, each beside what two
# windows differ by when nothing changes. `changed` means: above that, and large enough to matter.

# %%
moved = drift(logs, before, after, tree=data.nomenclature, replicates=50)
rows = [
    (v["label"], v["distances"]["hellinger"], v["baseline"]["hellinger"], v["verdict"])
    for v in moved["variables"]
]
pd.DataFrame(rows, columns=["variable", "Hellinger", "usual", "verdict"]).round(3)

# %% [markdown]
# ## Where it hurts
# Sections by the share that is coded automatically; `within` a section shows its divisions, down to
# the class.

# %%
from autonoe_nace.monitoring import drill, hardest

pd.DataFrame(drill(logs, data.nomenclature)).head(5).round(3)

# %% [markdown]
# The classes in which the model is least sure:

# %%
pd.DataFrame(hardest(logs, data.nomenclature)).head(5).round(3)

# %% [markdown]
# ## Alerts
# Rules in a file: what is measured, over which days, against which, and from which effect on it
# matters. An alert can start a retraining.

# %%
from pathlib import Path

import yaml

from autonoe_nace.alerts import check, load_rules
from autonoe_nace.alerts.journal import Journal

drifted = {"name": "codes drift", "metric": "drift", "variable": "code", "comparison": "above"}
rate = {"name": "rate fell", "metric": "automatic_rate", "at": threshold, "comparison": "fell"}
Path("alerts.yaml").write_text(
    yaml.safe_dump({"rules": [{**drifted, "effect": 0.1}, {**rate, "effect": 0.05}]})
)

# %% [markdown]
# Checked by hand here, by `autonoe nace alerts` on a schedule otherwise.

# %%
result = check(load_rules(Path("alerts.yaml")), logs, Journal(Path("alerts")))
print(f"{result['alerts']} alerts")
pd.DataFrame(result["findings"])[["rule", "state", "message"]]

# %% [markdown]
# ## The dashboard
# The same numbers to move about in; without code as `dashboard.ipynb`, opened with Voilà.

# %%
from autonoe_nace.dashboard import dashboard

dashboard(threshold=threshold)
