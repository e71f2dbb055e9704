#!/usr/bin/env bash
# Starts every engine, runs the tests that need one, and stops them again. Here a missing engine is a failure.
# Arguments are go test's: -run NAME, -v.
set -euo pipefail
cd "$(dirname "$0")/.."
engines=localstack/engines.sh
started=()
stop() { for engine in "${started[@]}"; do $engines stop "$engine"; done; }
trap stop EXIT

# Each engine's address is in its variable. One that runs already is used, and left running.
export APITOKEN_ENGINES_REQUIRED=1
for engine in dynamodb ministack localstack; do
  $engines status $engine >/dev/null || started+=("$engine")
  address=$($engines start $engine)
  export "APITOKEN_${engine^^}=$address"
done
APITOKEN_SAM=$($engines tool sam)
APITOKEN_CFN_LINT=$($engines tool cfn-lint)
export APITOKEN_SAM APITOKEN_CFN_LINT

# A test that needs an engine asks for it by that variable. The packages run one after the other, since they share
# engines, and never from Go's cache, which cannot see an engine's state.
packages=$(grep -rl --include='*_test.go' APITOKEN_ENGINES_REQUIRED infra functions localstack cmd | xargs -n 1 dirname | sort -u)
# shellcheck disable=SC2086 # one argument for each package
go test -count=1 -p 1 -timeout 30m $(printf './%s ' $packages) "$@"
