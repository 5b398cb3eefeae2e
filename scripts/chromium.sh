#!/usr/bin/env bash
# Make sure that the browser of the browser tests is there, with a font to draw text in, and the library that the
# driver's own Node wants (Playwright's wheel brings the driver and leaves libatomic to the system).
set -euo pipefail
missing=()
[ -x /usr/bin/chromium ] || missing+=(chromium fonts-dejavu-core)
/sbin/ldconfig -p | grep -q 'libatomic\.so\.1' || missing+=(libatomic1)
[ "${#missing[@]}" -eq 0 ] || "$(dirname "$0")/system-package.sh" "${missing[*]}" "the browser tests"
