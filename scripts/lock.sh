#!/usr/bin/env bash
# Re-resolve every requirement file. dev is resolved first and constrains the others, so that a version means the same everywhere.
# No index address is written: the files work against any mirror.
set -euo pipefail
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
compile() { # compile [FILE] OPTIONS: of pyproject.toml unless another file is named first
    local source=pyproject.toml
    case "${1:-}" in *.in) source=$1; shift ;; esac
    "$UV" pip compile "$source" --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet "$@"
}
compile --extra dev -o requirements/dev.txt
for extra in hub extension kernels nace serving embedded kubernetes cluster-hub tenants mlflow-server worker; do
    compile --extra "$extra" --constraint requirements/dev.txt -o "requirements/$extra.txt"
done
# Label Studio lives in an environment of its own: its pins contradict the others', so nothing constrains it.
compile requirements/label-studio.in -o requirements/label-studio.txt
