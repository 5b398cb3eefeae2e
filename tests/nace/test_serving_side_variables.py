"""Every side variable of INSEE's routes reaches the model, whatever its column is called.

All texts say the same: a row has the value of one column only, and that alone tells its code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from autonoe_nace.data import ateco
from autonoe_nace.data.dataset import Dataset
from autonoe_nace.serving.insee import _ALIASES, _renaming
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from support.serving import running

TEXT = "attività varie del settore"
COUNT = 40
VALUES = {
    "type": ("LIASSE_TYPE", ("C", "M")),
    "nature": ("ACTIV_NAT_ET", ("03", "30")),
    "surface": ("ACTIV_SURF_ET", ("1", "3")),
    "event": ("EVENEMENT_TYPE", ("01P", "01A")),
    "cj": ("CJ", ("1000", "5499")),
    "permanence": ("ACTIV_PERM_ET", ("P", "S")),
}
"""The model's column of each side variable, and its two values."""
IN_ADDRESS = {"type": "type_liasse", "nature": "nature", "surface": "surface", "event": "event"}
IN_BATCH = {**IN_ADDRESS, "type": "type_"}
IN_FORM = {
    "type": "type_form",
    "nature": "nature",
    "surface": "surface",
    "cj": "cj",
    "permanence": "activity_permanence_status",
}
CODES = sorted({code[:5] for code in ateco().codes})[: 2 * len(VALUES)]
EXPECTED = {name: CODES[2 * i : 2 * i + 2] for i, name in enumerate(VALUES)}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    columns: dict[str, list[str]] = {column: [] for column, _ in VALUES.values()}
    codes: list[str] = []
    for name, (column, values) in VALUES.items():
        for value, code in zip(values, EXPECTED[name], strict=True):
            codes += [code] * COUNT
            for other, given in columns.items():
                given += [value if other == column else ""] * COUNT
    source = ateco().subset(range(1))
    data = Dataset(
        texts=(TEXT,) * len(codes),
        codes=tuple(codes),
        rows=tuple(range(1, len(codes) + 1)),
        nomenclature=source.nomenclature,
        report=source.report,
        source="made up",
        features={column: tuple(given) for column, given in columns.items()},
    )
    params = TrainingParams(
        dim=20, epoch=60, bucket=1_000, calibration_share=0, titles=False, word_ngrams=1
    )
    folder = train(data, params).save(tmp_path_factory.mktemp("model") / "model")
    with running(ServingSettings(str(folder), tmp_path_factory.mktemp("state"))) as client:
        yield client


def bare(name: str) -> list[str]:
    return [code.replace(".", "") for code in EXPECTED[name]]


def best(rows: list[dict[str, Any]]) -> list[str]:
    return [row["1"]["code"] for row in rows]


@pytest.mark.parametrize("name", IN_ADDRESS)
def test_it_counts_the_same_alone_and_in_a_batch(client: TestClient, name: str) -> None:
    values = VALUES[name][1]
    alone = []
    for value in values:
        query = {"text_description": TEXT, IN_ADDRESS[name]: value, "prob_min": 0}
        alone.append(client.get("/predict", params=query).json())
    assert best(alone) == bare(name)
    batch = {"text_description": [TEXT] * 2, IN_BATCH[name]: list(values)}
    rows = client.post("/predict-batch", params={"prob_min": 0}, json=batch).json()
    assert best(rows) == bare(name)
    for row, one in zip(rows, alone, strict=True):
        assert row["IC"] == pytest.approx(one["IC"], abs=1e-5)
        assert [row[str(n)]["code"] for n in range(1, 6)] == [
            one[str(n)]["code"] for n in range(1, 6)
        ]


@pytest.mark.parametrize("name", IN_BATCH)
def test_it_counts_in_an_evaluation(client: TestClient, name: str) -> None:
    batch = {"text_description": [TEXT] * 2, IN_BATCH[name]: list(VALUES[name][1])}
    rows = client.post("/evaluation", json={**batch, "code": EXPECTED[name]}).json()
    assert best(rows) == bare(name)
    assert [row["Result"] for row in rows] == [True, True]
    turned = client.post("/evaluation", json={**batch, "code": EXPECTED[name][::-1]}).json()
    assert [row["Result"] for row in turned] == [False, False]


@pytest.mark.parametrize("name", IN_FORM)
def test_it_counts_in_a_form(client: TestClient, name: str) -> None:
    forms = [{"description_activity": TEXT, IN_FORM[name]: value} for value in VALUES[name][1]]
    rows = client.post("/predict/", json={"forms": forms}).json()
    assert best(rows) == bare(name)


@pytest.mark.parametrize("name", VALUES)
def test_it_counts_in_a_native_request(client: TestClient, name: str) -> None:
    column, values = VALUES[name]
    records = [{"text": TEXT, "features": {column: value}} for value in values]
    results = client.post("/v1/predict", json={"records": records}).json()["results"]
    assert [result["candidates"][0]["code"] for result in results] == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "alias"), [(name, alias) for name, aliases in _ALIASES.items() for alias in aliases]
)
def test_each_name_of_a_column_is_known(name: str, alias: str) -> None:
    for column in (alias, alias.upper()):
        assert _renaming(["other", column])({name: "x"}) == {column: "x"}
    assert set(_ALIASES) == set(VALUES)
