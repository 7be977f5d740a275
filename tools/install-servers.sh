#!/bin/sh
# Installs what tests start and build with: a database server, a browser, and tools for the container image. Says what
# before it does. Never fails: without them those tests are skipped. SETUP=no refuses, and says what will be skipped.

missing=""
skips=""
# need PROGRAM PACKAGE TESTS: notes the Debian package and the tests without it, where the program is missing.
need() {
  command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] && return
  missing="$missing $2"
  skips="$skips
  $2: $3"
}

if [ -z "${DOCKET_TEST_MYSQL_URL:-}" ]; then
  need mariadbd mariadb-server "every test on MariaDB"
fi
if ! command -v chromium-browser >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then
  need chromium chromium "tests in a browser"
fi
need redis-server redis-server "every test on Redis"
need java default-jre-headless "every test on Kafka"
need mvn maven "every test on Kafka"
for tool in buildah mmdebstrap podman runc; do
  need "$tool" "$tool" "the container image"
done

need promtool prometheus "the rules and alerts"
need prometheus-alertmanager prometheus-alertmanager "the routes of alerts"

if command -v go >/dev/null 2>&1 || [ -x /usr/local/go/bin/go ]; then
  [ "${SETUP:-}" = no ] || echo "Tests build with Go, where it is not there yet: connectconformance, actionlint, helm (in .cache)"
else
  skips="$skips
  Go 1.21 or later: conformance, tests beside servers in Go, the chart, workflows"
fi

if [ -n "$missing" ] && [ "${SETUP:-}" != no ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian packages for the tests:$missing"
  echo "(make test SETUP=no installs nothing)"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  if apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing >/dev/null; then
    exit 0
  fi
fi
if [ -n "$skips" ]; then
  [ "${SETUP:-}" = no ] && echo "SETUP=no: nothing is installed."
  echo "Without these, some tests will be skipped:$skips"
fi
exit 0
