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
# # 4. Monitor the service
#
# Every prediction is logged: what was asked, what was answered, how confident the model was, and
# which model it was. Here the logs become a table in your bucket, and the table a dashboard.

# %% [markdown]
# Parameters: the deployment, and the threshold where the slider starts.

# %% tags=["parameters"]
name = "nace-api"
threshold = 0.8

# %% [markdown]
# ## From log files to Parquet
# Safe to repeat at any time: a prediction is kept once, by its request, and a line that cannot be
# read is set aside and counted.

# %%
from autonoe.backends import backend
from autonoe_nace.logs import etl
from autonoe_nace.logs.place import deployment_uri

report = etl.bring(backend().get(name), deployment_uri(name))
report

# %% [markdown]
# ## Read it with any tool
# One Parquet file a day. Here with pyarrow; polars, DuckDB and pandas read the same address.

# %%
import pyarrow.dataset as ds

logs = ds.dataset(deployment_uri(name), format="parquet", partitioning="hive")
rows = logs.to_table(columns=["time", "text", "codes", "confidence", "auto", "model_version"])
print(f"{rows.num_rows:,} predictions")
rows.slice(0, 5).to_pandas()

# %% [markdown]
# ## The numbers
# The share that is coded automatically, with its 95 % interval.

# %%
from autonoe_nace.monitoring import PredictionStatistics

statistics = PredictionStatistics(deployment_uri(name))
for value in (0.5, 0.6, 0.7, 0.8, 0.9):
    print(f"{value:.1f}: {statistics.automatic(value)}")

# %% [markdown]
# ## The dashboard
# What would we have had at .7? Move the slider. The same page without code is `dashboard.ipynb`,
# opened with Voilà.

# %%
from autonoe_nace.dashboard import dashboard

dashboard(threshold=threshold)
