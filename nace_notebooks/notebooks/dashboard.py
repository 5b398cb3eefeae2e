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
# Predictions of all deployments of this account. Run `autonoe nace etl` to bring in the newest.

# %% tags=["parameters"]
threshold = 0.8

# %%
from autonoe_nace.dashboard import dashboard

dashboard(threshold=threshold)
