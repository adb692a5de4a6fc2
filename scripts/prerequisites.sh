#!/usr/bin/env bash
# Names, in one line, what the machine lacks. Usage: scripts/prerequisites.sh PYTHON install|test
set -euo pipefail
python=$1
purpose=$2

fail() {
  echo "missing: $1" >&2
  exit 1
}

command -v "$python" >/dev/null || fail "python 3.11, 3.12 or 3.13 ($python not found): apt-get install python3, or make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
  fail "python 3.11, 3.12 or 3.13 ($python is $("$python" -V 2>&1)): make PYTHON=/path/to/python3.11"
command -v git >/dev/null || fail "git: apt-get install git"
if [[ $(uname) == Linux ]]; then
  ldconfig -p 2>/dev/null | grep -q libcrypto.so.3 || /sbin/ldconfig -p | grep -q libcrypto.so.3 ||
    fail "OpenSSL 3, for the mongod under FiftyOne: apt-get install libssl3"
  ldconfig -p 2>/dev/null | grep -q libcurl.so.4 || /sbin/ldconfig -p | grep -q libcurl.so.4 ||
    fail "libcurl, for the mongod under FiftyOne: apt-get install libcurl4"
fi
if [[ $purpose == test ]]; then
  command -v chromium >/dev/null || command -v google-chrome >/dev/null ||
    fail "chromium, for the tests that look at pages: apt-get install chromium"
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null ||
    fail "PostgreSQL's server, for the tests of teams: apt-get install postgresql"
fi
