#!/usr/bin/env bash
# Install Debian packages when we may, else say the exact command: scripts/system-package.sh "PACKAGE ..." "WHAT NEEDS IT"
set -euo pipefail
packages=$1
purpose=$2

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    cat >&2 <<TEXT
Missing on this machine, for $purpose: $packages
  Next: sudo apt-get install --no-install-recommends $packages
  (on another distribution: the packages of the same purpose), then run the same make target again.
TEXT
    exit 1
fi
# One at a time: CI builds images and the test cluster beside its other steps, and apt refuses a second caller.
exec 9> /run/lock/autonoe-packages
flock --timeout 600 9
echo "Installing $packages for $purpose ..." >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of words on purpose
install_packages() { apt-get install --quiet=2 --yes --no-install-recommends $packages > /dev/null; }
install_packages 2> /dev/null || { # the lists of packages are missing or old
    apt-get update --quiet=2
    install_packages
}
