#!/usr/bin/env bash
# Serves the functions and the authorizer with `sam local start-api`, on DynamoDB Local. Both run in Docker. The file
# local-api.token has the administrator's token until the script ends, with Ctrl-C. There is no stream and no bus. For a
# token that the authorizer refuses sam answers 502, because sam treats a refusal like a crash. AWS answers 401.
set -euo pipefail
cd "$(dirname "$0")/.."
sam=${SAM:-sam}
port=${APITOKEN_LOCAL_API_PORT:-3000}
file=local-api.token
work=$(mktemp -d)
compose() { docker compose -f localstack/compose.yaml "$@"; }

# sam removes the functions' containers only if it gets one signal and can finish. So sam is stopped first.
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

# sam passes a function only the variables that the template declares. So sed declares the address of DynamoDB Local
# before each TOKEN_TABLE. sed reads the built template, in which sam has expanded the aliases.
ARCH=$arch "$sam" build --build-in-source --build-dir "$work/build" --parameter-overrides Arch="$arch"
sed '/^ *TOKEN_TABLE:/{h;s/TOKEN_TABLE:.*/AWS_ENDPOINT_URL_DYNAMODB: ""/;p;g;}' "$work/build/template.yaml" \
  >"$work/build/local.yaml"

PEPPERS=1:$(head -c 33 /dev/urandom | base64)
export PEPPERS
on_engine() { AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:${APITOKEN_DYNAMODB_PORT:-8021} "$@"; }
on_engine bin/apitoken table create local
on_engine bin/apitoken bootstrap --table local --replace --out "$file"
(umask 077 && cat >"$work/variables.json") <<END
{"Parameters": {"TOKEN_TABLE": "local", "PEPPERS": "$PEPPERS", "AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb:8000"}}
END

set -m # sam gets its own process group, so that it does not get the terminal's signals too.
"$sam" local start-api -t "$work/build/local.yaml" --env-vars "$work/variables.json" --docker-network apitoken_default \
  --warm-containers LAZY --host 127.0.0.1 --port "$port" --parameter-overrides "Arch=$arch" </dev/null &
serving=$!
set +m
wait "$serving"
