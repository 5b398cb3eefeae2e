"""Tiny Helm charts, and a list of parts made of them, for tests of ``autonoe platform``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from support.places import REPOSITORY

IMAGE = "localhost/autonoe/agent:dev"
"""An image that the test cluster holds anyway; it has Python."""

_DEPLOYMENT = """\
{{- if .Values.pods }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.pods }}
  selector:
    matchLabels: {tiny: {{ .Release.Name }}}
  template:
    metadata:
      labels: {tiny: {{ .Release.Name }}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: tiny
          image: {{ .Values.image }}
          imagePullPolicy: IfNotPresent
          command: [python, -m, http.server, "8080", --directory, /tmp]
          readinessProbe:
            httpGet: {path: {{ .Values.readyPath }}, port: 8080}
            periodSeconds: 1
          resources:
            requests: {cpu: 5m, memory: 24Mi}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
{{- end }}
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {tiny: {{ .Release.Name }}}
  ports: [{port: 80, targetPort: 8080}]
"""
_WORD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-word
data:
  word: {{ required "a word is needed" .Values.word | quote }}
"""


def dask_operator_chart() -> Path:
    """Return the chart of the Dask operator, as the wheel of dask-kubernetes holds it."""
    import dask_kubernetes

    folder = Path(dask_kubernetes.__file__).parent / "operator" / "deployment" / "helm"
    return folder / "dask-kubernetes-operator"


def make_chart(folder: Path, name: str, *, version: str = "1.0.0") -> Path:
    """Write a chart: a Deployment of a web server, its Service, and a ConfigMap with a word."""
    chart = folder / f"{name}-{version}"
    (chart / "templates").mkdir(parents=True)
    metadata = {"apiVersion": "v2", "name": name, "version": version, "appVersion": "1"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    values = {"word": "", "pods": 0, "image": IMAGE, "readyPath": "/"}
    (chart / "values.yaml").write_text(yaml.safe_dump(values))
    for file, text in (("deployment", _DEPLOYMENT), ("service", _SERVICE), ("word", _WORD)):
        (chart / "templates" / f"{file}.yaml").write_text(text)
    return chart


def part(name: str, **changes: Any) -> dict[str, Any]:
    """Return a part of a list, without what every part can leave out."""
    return {
        "name": name,
        "title": name.capitalize(),
        "why": "It is there to be tested.",
        "chart": name,
        "repository": "https://charts.example.org",
        "version": "1.0.0",
        "app_version": "1",
        "confirmed": "made in the test",
        "namespace": "{instance}-parts",
        "timeout_s": 60,
        **changes,
    }


def write_list(folder: Path, *parts: dict[str, Any], **values: dict[str, Any]) -> Path:
    """Write a list of parts and, by the part's name, their values; returns the folder."""
    folder.mkdir(exist_ok=True)
    written = []
    for entry in parts:
        name = entry["name"]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values.get(name, {"word": name})))
        written.append({"values": [f"{name}.yaml"], **entry})
    document = {"helm": "3.14", "kubernetes": "1.30", "parts": written}
    (folder / "parts.yaml").write_text(yaml.safe_dump(document))
    return folder


COMPANIONS = REPOSITORY / "helm-values" / "companions"
