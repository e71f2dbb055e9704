#!/usr/bin/env bash
# Serves the functions with `sam local start-api`, authorizer included, against DynamoDB Local; both run in Docker. The
# administrator's token is in local-api.token as long as this runs; Ctrl-C ends it. There is no stream and no bus, and a
# token that the authorizer refuses is answered with 502, since sam cannot tell a refusal from a crash; AWS answers 401.
set -euo pipefail
cd "$(dirname "$0")/.."
sam=${SAM:-sam}
port=${APITOKEN_LOCAL_API_PORT:-3000}
file=local-api.token
work=$(mktemp -d)
compose() { docker compose -f localstack/compose.yaml "$@"; }

# sam removes the functions' containers only if it is asked to end once and may finish, so it goes before the rest.
stop() {
  trap '' HUP INT TERM
  [ -z "${serving:-}" ] || { kill "$serving" && wait "$serving"; } || true
  rm -rf "$work" "$file"
  compose down
}
trap stop EXIT
trap 'exit 130' HUP INT TERM
compose up --wait dynamodb

case $(uname -m) in
  aarch64 | arm64) arch=arm64 ;;
  *) arch=x86_64 ;;
esac
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test SAM_CLI_TELEMETRY=0

# sam hands a function only variables that the template gives it, so the engine's address is declared beside the table.
ARCH=$arch "$sam" build --build-in-source --build-dir "$work/build" --parameter-overrides Arch="$arch"
sed '/^ *TOKEN_TABLE:/{h;s/TOKEN_TABLE:.*/AWS_ENDPOINT_URL_DYNAMODB: ""/;p;g;}' "$work/build/template.yaml" \
  >"$work/build/local.yaml"

PEPPERS=1:$(head -c 33 /dev/urandom | base64)
export PEPPERS
AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:${APITOKEN_DYNAMODB_PORT:-8021} \
  bin/apitoken bootstrap --table local --create-table --replace --out "$file"
(umask 077 && cat >"$work/variables.json") <<END
{"Parameters": {"TOKEN_TABLE": "local", "PEPPERS": "$PEPPERS", "AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb:8000"}}
END

set -m # A process group of its own keeps from sam what the terminal sends to this script's.
"$sam" local start-api -t "$work/build/local.yaml" --env-vars "$work/variables.json" --docker-network apitoken_default \
  --warm-containers LAZY --host 127.0.0.1 --port "$port" --parameter-overrides "Arch=$arch" </dev/null &
serving=$!
set +m
wait "$serving"
