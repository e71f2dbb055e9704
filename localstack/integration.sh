#!/usr/bin/env bash
# Starts all engines, runs the tests that need one, and stops the engines. A test that does not find its engine fails.
# The arguments go to go test: -run NAME, -v.
set -euo pipefail
cd "$(dirname "$0")/.."
engines=localstack/engines.sh
started=()
stop() { for engine in "${started[@]}"; do $engines stop "$engine"; done; }
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

# The generators of clients need Node.js beside what the engines need. Without it their tests are left out, except in CI.
left_out=
if APITOKEN_GENERATORS=$($engines install generators); then
  export APITOKEN_GENERATORS
elif [ "${CI:-}" = true ]; then
  echo "the generators of clients are needed in CI" >&2
  exit 1
else
  left_out=localstack/clients
  echo "Left out: the generated clients, because their generators cannot be installed." >&2
fi

# Tests find their engine with the package localstack/engines. The packages run one after the other, because they share
# the engines. Go's cache is off, because it does not know the state of an engine.
mapfile -t packages < <(grep -rl --include='*_test.go' '"apitoken/localstack/engines"' infra functions localstack cmd |
  xargs -n 1 dirname | sort -u | grep -vx "${left_out:--}")
go test -count=1 -p 1 -timeout 30m "${packages[@]/#/./}" "$@"
