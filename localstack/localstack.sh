#!/usr/bin/env bash
# Deploys to LocalStack in Docker, calls the service with and without a token, and stops LocalStack.
#
# LocalStack ignores authorizers. So the parameter AuthorizeInHandler is true, and the handlers check the tokens.
# APITOKEN_LOCALSTACK_IMAGE and LOCALSTACK_AUTH_TOKEN select another image; compose.yaml says when.
set -euo pipefail
cd "$(dirname "$0")/.."
compose() { docker compose -f localstack/compose.yaml "$@"; }
trap 'compose down' EXIT
compose up --wait localstack # not DynamoDB Local, which has a licence of its own and is not used here

endpoint=http://127.0.0.1:${APITOKEN_LOCALSTACK_PORT:-4577}
APITOKEN_LOCALSTACK=$endpoint localstack/deploy-local.sh
