# Debian/Ubuntu packages this project builds and runs with; sourced by the other scripts.
# usage: . scripts/packages.sh; require_packages PACKAGE…

# docs/dependencies.md gives a line of reason for each.
BUILD_PACKAGES="pkg-config libpq-dev libturbojpeg0-dev libpng-dev zlib1g-dev libmpfr-dev libssl-dev libcurl4-openssl-dev"
RUN_PACKAGES="postgresql"
# Tests that need one of these say "skipped: …" where it is absent.
TEST_PACKAGES="postgresql-pgtap pgbouncer slurm-wlm systemd prometheus openssl python3-scipy python3-mpmath"

# Installs what is missing: as root, or through sudo where that asks for nothing. Otherwise prints the line and stops.
require_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local apt=(apt-get install -y --no-install-recommends "${missing[@]}")
  if [ "$(id -u)" -eq 0 ]; then
    echo "Installing ${missing[*]}"
    apt-get update -q && DEBIAN_FRONTEND=noninteractive "${apt[@]}" >/dev/null
  elif sudo -n true 2>/dev/null; then
    echo "Installing ${missing[*]} (sudo)"
    sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive "${apt[@]}" >/dev/null
  else
    echo "These system packages are missing. Please run, then start this script again:" >&2
    echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
}

# Installs those of TEST_PACKAGES that this release has, where that asks for nothing; never fails. Tests start what they
# need themselves: as root, the packages' services are kept from starting (Debian's policy-rc.d, exit code 101).
offer_test_packages() {
  local package have=()
  [ "$(id -u)" -ne 0 ] || apt-get update -q >/dev/null
  for package in $TEST_PACKAGES; do
    # pgTAP carries the server's version in its name.
    [ "$package" = postgresql-pgtap ] && package=$(apt-cache search --names-only '^postgresql-[0-9]+-pgtap$' | sort -V | tail -1 | cut -d' ' -f1)
    [ -n "$package" ] && apt-cache show "$package" >/dev/null 2>&1 && have+=("$package")
  done
  local policy=/usr/sbin/policy-rc.d ours=no
  if [ "$(id -u)" -eq 0 ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && ours=yes
  fi
  (require_packages "${have[@]}") || true
  [ $ours = no ] || rm -f $policy
}

# Swift is not a Debian package: say what is needed.
require_swift() {
  command -v swift >/dev/null || {
    echo "swift is not on the PATH. Install Swift 6.1 or newer from https://www.swift.org/install/linux/" >&2
    exit 1
  }
}
