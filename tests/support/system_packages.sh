#!/bin/sh
# What the whole test suite wants beyond Python: a browser, a second Redis, and Prometheus with promtool. Installed only
# where that can be done without asking (root on a Debian-like system); elsewhere the tests that need them skip and say so.
set -u
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v prometheus >/dev/null 2>&1 || missing="$missing prometheus"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing:$missing"
  # Debian starts freshly installed servers by itself; the tests start their own.
  { apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing; } \
    >/dev/null 2>&1 || echo "could not install:$missing; the tests that need them will be skipped"
else
  echo "not here:$missing; the tests that need them will be skipped"
fi
