#!/usr/bin/env bash
# Starts all engines, runs the tests that need one, and stops the engines. A test that does not find its engine fails.
# The arguments go to go test: -run NAME, -v.
set -euo pipefail
cd "$(dirname "$0")/.."
engines=localstack/engines.sh
started=()
other_tests= output=
tags=()
stop() {
  [ -z "$other_tests" ] || kill -- "-$other_tests" 2>/dev/null || true
  rm -f "$output"
  for engine in "${started[@]}"; do $engines stop "$engine"; done
}
trap stop EXIT

# Each engine's URL is in a variable with the engine's name, such as APITOKEN_DYNAMODB. If an engine is already running,
# the tests use it, and the script does not stop it.
export APITOKEN_ENGINES_REQUIRED=1
for engine in dynamodb ministack localstack; do
  $engines status $engine >/dev/null || started+=("$engine")
  url=$($engines start $engine)
  export "APITOKEN_${engine^^}=$url"
done
APITOKEN_SAM=$($engines tool sam)
APITOKEN_CFN_LINT=$($engines tool cfn-lint)
APITOKEN_QQ=$($engines tool qq)
APITOKEN_VASTPY=$($engines tool vastpy-cli)
export APITOKEN_SAM APITOKEN_CFN_LINT APITOKEN_QQ APITOKEN_VASTPY

# What needs more than the engines do is left out where it cannot be installed, except in CI.
left_out=(-)
# missing WHAT FOLDER: says that the tests in the folder are left out, and fails in CI.
missing() {
  if [ "${CI:-}" = true ]; then
    echo "$1 are needed in CI" >&2
    exit 1
  fi
  left_out+=("$2")
  echo "Left out: $1, because they cannot be installed." >&2
}

# These two need Node.js.
APITOKEN_GENERATORS=$($engines install generators) && export APITOKEN_GENERATORS || missing "the generators of clients" localstack/clients
APITOKEN_OAUTH=$($engines install oauth) && export APITOKEN_OAUTH || missing "the libraries of OAuth" localstack/oauth

# The proxies need an nginx, or Debian's package manager for it.
if APITOKEN_NGINX=$($engines tool nginx); then
  APITOKEN_CADDY=$($engines tool caddy)
  APITOKEN_TRAEFIK=$($engines tool traefik)
  export APITOKEN_NGINX APITOKEN_CADDY APITOKEN_TRAEFIK
else
  missing "the reverse proxies" localstack/proxies
fi

# Keycloak needs only Java 17 and Maven, as DynamoDB Local does, but it is a download of 176 MB.
$engines status keycloak >/dev/null || started+=(keycloak)
APITOKEN_KEYCLOAK=$($engines start keycloak) && export APITOKEN_KEYCLOAK || missing "the tests of sign-in with Keycloak" localstack/keycloak

# People sign in with Keycloak in a real browser.
browser=$($engines install browser) && export APITOKEN_CHROMIUM=$browser/bin/chromium && tags=(-tags browser) || missing "the tests of sign-in in a browser" -

# Tests find their engine with the package localstack/engines. tests_of prints the folders with a test that has the text.
tests_of() {
  grep -rlE --include='*_test.go' "$1" infra functions localstack cmd | xargs -n 1 dirname | sort -u | grep -vxF -e "$(printf '%s\n' "${left_out[@]}")"
}

# The packages that share an engine run one after the other. The tests of the deployed stack often wait for their
# emulators, so the others run at the same time, most of them with DynamoDB Local. Go's cache is off, because it does not
# know the state of an engine.
mapfile -t stack < <(tests_of 'engines\.(MiniStack|LocalStack)\b')
mapfile -t others < <(comm -13 <(printf '%s\n' "${stack[@]}") <(tests_of '"apitoken/localstack/engines"'))
test=(go test "${tags[@]}" -count=1 -p 1 -timeout 30m)
output=$(mktemp)
setsid "${test[@]}" "${others[@]/#/./}" "$@" >"$output" 2>&1 &
other_tests=$!
status=0
"${test[@]}" "${stack[@]/#/./}" "$@" || status=$?
wait "$other_tests" || status=$?
other_tests=
cat "$output"
exit $status
