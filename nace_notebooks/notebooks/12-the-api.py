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
# # 12. What the API can do
#
# Notebook 3 put a model behind an address. Here every route of it is called: as a new program would
# call it, as a program written for INSEE's API does, and with a key that may ask so much and no
# more. It calls the deployment of notebook 3, so run that one first.

# %% [markdown]
# Parameters: the deployment's name.

# %% tags=["parameters"]
name = "nace-api"

# %% [markdown]
# ## The address and the key
# The address comes from the platform, the key from your own secrets, where notebook 3 put it.

# %%
import os

import hvac
import requests
from autonoe.backends import backend

url = backend().get(name).url
place = {"path": f"{os.environ['VAULT_TOP_DIR']}/deployments/{name}", "mount_point": "kv"}
found = hvac.Client().secrets.kv.v2.read_secret_version(raise_on_deleted_version=True, **place)
key = found["data"]["data"]["api_key"]
api = requests.Session()
api.headers["Authorization"] = f"Bearer {key}"

# %% [markdown]
# ## Who answers?
# The model with its version and its hash, for a record of which model gave which code. Whether a
# model is there at all, a load balancer may ask without a key.

# %%
print(api.get(f"{url}v1/models", timeout=30).json()["models"][0])
print("ready:", requests.get(f"{url}health/ready", timeout=30).json()["ready"])

# %% [markdown]
# ## Why this code?
# `explain` says what in the text spoke for the first code against the second, in log-odds. It takes
# its time, so at most 50 records of one request are explained.

# %%
import pandas as pd

text = "Commercio al dettaglio di libri usati"
body = {"records": [{"text": text}], "top_k": 2, "explain": True}
(result,) = api.post(f"{url}v1/predict", json=body, timeout=120).json()["results"]
why = result["explanation"]
print(f"{why['code']} rather than {why['against']}: {why['logit_difference']:+.2f}")
pd.DataFrame(why["words"]).round(2)

# %% [markdown]
# ## All codes that are still possible
# `set_coverage` adds the set that holds the right code as often as asked: in nine of ten cases
# here. Its size says how hard the text is.

# %%
body = {"records": [{"text": text}, {"text": "Servizi vari"}], "set_coverage": 0.9}
for result in api.post(f"{url}v1/predict", json=body, timeout=30).json()["results"]:
    codes = result["conformal_set"]
    print(f"{len(codes)} codes hold the right one in nine of ten cases: {', '.join(codes[:5])}")

# %% [markdown]
# ## Only codes that are probable enough
# `min_probability` leaves the others out. The best one always stays, however improbable.

# %%
for least in (0.0, 0.01, 1.0):
    body = {"records": [{"text": text}], "top_k": 50, "min_probability": least}
    (result,) = api.post(f"{url}v1/predict", json=body, timeout=30).json()["results"]
    candidates = result["candidates"]
    print(f"from {least:.0%} on: {len(candidates)} codes, first {candidates[0]['code']}")

# %% [markdown]
# ## Columns beside the text
# `features` go with a record. What a model has not learned does not count: the model of notebook 2
# knows texts alone. Notebook 5 trains one to which the column matters.

# %%
records = [{"text": text}, {"text": text, "features": {"nature": "trade"}}]
answer = api.post(f"{url}v1/predict", json={"records": records}, timeout=30).json()
alone, beside = [[c["code"] for c in result["candidates"]] for result in answer["results"]]
print("the column changes nothing" if alone == beside else "the column counts")

# %% [markdown]
# ## A bad record among good ones
# Each record is answered for itself, by codes or by an error of its own.

# %%
texts = ["Coltivazione di riso", "???", "", "a" * 5_001, "Panetteria"]
body = {"records": [{"text": sent} for sent in texts]}
results = api.post(f"{url}v1/predict", json=body, timeout=30).json()["results"]
for sent, result in zip(texts, results, strict=True):
    code = result["error"]["code"] if "error" in result else result["candidates"][0]["code"]
    print(f"{sent[:20]!r:<24} {code}")

# %% [markdown]
# ## How good is it on your texts?
# Send texts with the codes that people gave. These are texts that the model has learned, so the
# figures flatter it; with your own they do not.

# %%
from autonoe_nace.data import ateco

data = ateco()
data = data.subset(range(0, len(data), len(data) // 100))
pairs = zip(data.texts, data.codes, strict=True)
body = {"records": [{"text": sent, "code": code} for sent, code in pairs]}
judged = api.post(f"{url}v1/evaluate", json=body, timeout=60).json()
print(f"{judged['n']} texts judged, {judged['auto_rate']['value']:.0%} coded automatically")
levels = {level: row["top1"] for level, row in judged["levels"].items()}
pd.DataFrame(levels).T.rename_axis("level").round(3)

# %% [markdown]
# ## What a monitor reads
# Prometheus' format: requests and their seconds by route, records by outcome, what became of logs.

# %%
lines = api.get(f"{url}metrics", timeout=30).text.splitlines()
print("\n".join(line for line in lines if line.startswith("autonoe_nace_records_total")))

# %% [markdown]
# ## Every field of every route
# The API describes itself: a page to read and to try on, and the same for programs in OpenAPI. On
# the embedded platform the page opens in any browser of this machine.

# %%
described = requests.get(f"{url}openapi.json", timeout=30).json()
print(f"{url}docs")
routes = {path: ", ".join(verbs).upper() for path, verbs in described["paths"].items()}
pd.Series(routes, name="method").to_frame()

# %% [markdown]
# ## A program written for INSEE's API
# It changes its address and its password, which is the key; any user name will do. The rest of its
# request stays as it was. Here one text, with what the declaration's form says beside it.

# %%
old = requests.Session()
old.auth = ("any", key)
query = {"text_description": text, "type_liasse": "C", "nature": "03", "surface": "1"}
old.get(f"{url}predict", params={**query, "event": "01P", "nb_echos_max": 2}, timeout=30).json()

# %% [markdown]
# `nb_echos_max` is 1 to 1,000, and fifty are given at most. `IC`, the index of confidence, is the
# same however many are asked for. When no code reaches `prob_min`, the best one is given all the
# same.

# %%
for echos, least in ((1, 0), (5, 0), (1_000, 0), (5, 1)):
    asked = {"text_description": text, "nb_echos_max": echos, "prob_min": least}
    row = old.get(f"{url}predict", params=asked, timeout=30).json()
    codes = [place for place in row if place.isdigit()]
    print(f"nb_echos_max {echos}, prob_min {least}: {len(codes)} codes, IC {row['IC']:.4f}")
refused = old.get(f"{url}predict", params={**asked, "nb_echos_max": 1_001}, timeout=30)
print(refused.status_code, refused.json()["error"]["code"])

# %% [markdown]
# A batch is sent in columns. A row that cannot be coded has `error` in place of its codes.

# %%
batch = {
    "text_description": ["Coltivazione di riso", "", "Panetteria"],
    "type_": ["C", "C", "C"],
    "nature": ["01", "01", "06"],
}
rows = old.post(f"{url}predict-batch", json=batch, timeout=30).json()
[row["error"]["code"] if "error" in row else row["1"]["code"] for row in rows]

# %% [markdown]
# Columns of different lengths are refused as a whole: nobody knows whose value is whose.

# %%
ragged = old.post(f"{url}predict-batch", json={**batch, "type_": ["C"]}, timeout=30)
print(ragged.status_code, ragged.json()["error"]["message"])

# %% [markdown]
# With the codes that people gave, each row says whether the first code is right.

# %%
known = {"text_description": ["Coltivazione di riso"] * 2, "code": ["0112", "4711"]}
rows = old.post(f"{url}evaluation", json=known, timeout=30).json()
[(row["1"]["code"], row["Code"], row["Result"]) for row in rows]

# %% [markdown]
# Whole declarations: the words of all fields are read together.

# %%
form = {"description_activity": "Coltivazione", "other_nature_activity": "di riso", "cj": "1000"}
(row,) = old.post(f"{url}predict/", json={"forms": [form]}, timeout=30).json()
row["1"]

# %% [markdown]
# ## A key for a colleague
# Each caller gets a key of its own, with its own limits: here 20 requests a second and 5 texts a
# day. It is in this one answer, which does not show it, and nowhere else. Hand it over by a secret
# that both may read, not by mail.

# %%
from autonoe.backends import KeyRequest

made = backend().add_key(name, KeyRequest("register team", rate_per_s=20, records_per_day=5))
colleague = requests.Session()
colleague.headers["X-API-Key"] = made.api_key
made

# %% [markdown]
# On one machine the deployment takes the key within a second; on a cluster the call above came back
# once the pods had it.

# %%
from autonoe.waiting import wait_until

patience = {"timeout_s": 60, "ignoring": (requests.ConnectionError,)}
wait_until(lambda: colleague.get(f"{url}v1/usage", timeout=30).ok, what="the new key", **patience)

# %% [markdown]
# Three texts are answered. Three more are too many: nothing is coded, and `Retry-After` says in how
# many seconds the day ends (UTC).

# %%
body = {"records": [{"text": text}] * 3}
for _ in range(2):
    reply = colleague.post(f"{url}v1/predict", json=body, timeout=30)
    print(reply.status_code, "Retry-After:", reply.headers.get("Retry-After"))
print(reply.json()["error"])

# %% [markdown]
# What the holder of a key may see: its own use on the last 31 days, and what is left today.

# %%
usage = colleague.get(f"{url}v1/usage", timeout=30).json()
print(f"{usage['label']}: {usage['records_left_today']} texts left today")
pd.DataFrame(usage["days"])

# %% [markdown]
# What you see: who may call, and how much; never a key.

# %%
shown = ["id", "label", "created", "rate_per_s", "records_per_day"]
pd.DataFrame([one.to_dict() for one in backend().keys(name)])[shown]

# %% [markdown]
# ## Take it back
# That key alone is refused from then on; yours and all others stay.

# %%
for one in backend().keys(name):
    if one.label == made.label:
        backend().revoke_key(name, one.id)
wait_until(
    lambda: colleague.get(f"{url}v1/usage", timeout=30).status_code == 401,
    what="the key to be refused",
    **patience,
)
print("mine:", api.get(f"{url}v1/models", timeout=30).status_code)

# %% [markdown]
# From the command line: `autonoe deploy keys add nace-api --label "register team" --rate 20
# --daily-quota 5`, `keys list` and `keys revoke`. `backend().undeploy(name)` ends the deployment
# and forgets its keys; the logs stay.
