#!/usr/bin/env bash
# Make sure that the browser of the browser tests is there, with a font to draw text in.
set -euo pipefail
[ -x /usr/bin/chromium ] || "$(dirname "$0")/system-package.sh" "chromium fonts-dejavu-core" "the browser tests"
