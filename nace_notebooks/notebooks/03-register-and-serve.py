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
# # 3. Register the model and serve it
#
# The last run becomes a version in the registry, the alias `champion` points to it, and a REST API
# answers with whatever the alias points to.

# %% [markdown]
# Parameters: the deployment's name, and the confidence from which a code counts as automatic.

# %% tags=["parameters"]
name = "nace-api"
threshold = 0.8
texts_to_send = 500

# %% [markdown]
# ## Register
# The last tracked run becomes a version. The registry keeps its hash; a file that differs is never
# served.

# %%
from autonoe_nace import registry, tracking

run = tracking.last_run()
version = registry.register(run)
version.uri

# %% [markdown]
# ## Let it be the champion
# Registering moves no alias. A promotion checks the version first: whole, quick enough, and with
# the answers that it gave when it was trained. It also compares it with the champion on gold texts,
# as notebook 8 shows; there are none yet, so a reason is given instead, and kept in the history.

# %%
outcome = registry.promote(
    version.name, version.version, gold=None, force_reason="first steps, without gold texts"
)
print(outcome.decision.sentence())
uri = f"models:/{version.name}@{registry.CHAMPION}"

# %% [markdown]
# ## Deploy
# A deployment is one request. The same object can be had as Python and as a command line.

# %%
from autonoe.backends import DeploymentRequest, backend

request = DeploymentRequest(name=name, model_uri=uri, threshold=threshold)
print(request.equivalents()["shell"])

# %% [markdown]
# It runs with the rights of your own account and of nobody else: as a process behind the platform's
# address, or as pods in your namespace, and comes back by itself. The API key is shown to nobody:
# it goes from the answer straight into your own secrets.

# %%
import os

import hvac

deployment = backend().deploy(request, rotate_key=True)
place = {"path": f"{os.environ['VAULT_TOP_DIR']}/deployments/{name}", "mount_point": "kv"}
vault = hvac.Client().secrets.kv.v2
stored = vault.create_or_update_secret(secret={"api_key": deployment.api_key}, **place)
deployment

# %% [markdown]
# ## Call it, as any program would
# Plain HTTP with the key in a header. The answer names the model, its version and its hash.

# %%
import requests

key = vault.read_secret_version(raise_on_deleted_version=True, **place)["data"]["data"]["api_key"]
api = requests.Session()
api.headers["Authorization"] = f"Bearer {key}"
body = {"records": [{"text": "Coltivazione di riso"}], "top_k": 3}
answer = api.post(f"{deployment.url}v1/predict", json=body, timeout=30)
answer.json()

# %% [markdown]
# ## Many texts at once
# Up to 1,000 records in one request; a bad record gets its own error and spoils no other.

# %%
import pandas as pd

from autonoe_nace.data import ateco

texts = [*ateco().texts[: texts_to_send - 1], "???"]
body = {"records": [{"text": text} for text in texts], "top_k": 5}
results = api.post(f"{deployment.url}v1/predict", json=body, timeout=60).json()["results"]
pd.Series([r.get("error", {}).get("code", "answered") for r in results]).value_counts()

# %% [markdown]
# How confident was it? What lies below the threshold goes to a person.

# %%
confidence = pd.Series([r["confidence"] for r in results if "confidence" in r])
print(f"{(confidence >= threshold).mean():.1%} of {len(confidence)} texts are coded automatically")
confidence.describe().round(3)

# %% [markdown]
# ## What a wrong request gets
# A code, a message and a hint; never a traceback, and never what was sent.

# %%
wrong = api.post(f"{deployment.url}v1/predict", json={"records": [{"text": 5}]}, timeout=30)
print(wrong.status_code, wrong.json())

# %% [markdown]
# ## When you are done
# `backend().undeploy(name)` ends the deployment and forgets its key; the logs stay.
