#!/bin/sh
# Installs what tests start for themselves: a database server and a browser. Never fails: without them those tests are
# skipped.

missing=""
if [ -z "${DOCKET_TEST_MYSQL_URL:-}" ] && [ ! -x /usr/sbin/mariadbd ] && ! command -v mariadbd >/dev/null; then
  missing="mariadb-server"
fi
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
  missing="$missing chromium"
fi
if ! command -v go >/dev/null && [ ! -x /usr/local/go/bin/go ]; then
  echo "Tests beside servers written in Go will be skipped: they need Go 1.21 or later"
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing $missing for the tests"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  if apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing >/dev/null; then
    exit 0
  fi
fi
echo "Some tests will be skipped for lack of $missing: install it (Debian: apt-get install $missing)"
