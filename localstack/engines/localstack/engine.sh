# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# LocalStack 4.14.0 (the open edition, which needs no account) as a process of this machine. It tests the retries of
# streams and event sources, partial batches and dead letters. With Docker you can use compose.yaml instead.
#
# LocalStack itself runs functions only in Docker, so localstack/process-executor runs them. Its DynamoDB is the
# DynamoDB Local of the engine dynamodb. LocalStack does not enforce Lambda authorizers: a bad token passes. It has no
# HTTP APIs. It deletes expired items only on request: curl -X DELETE ENDPOINT/_aws/dynamodb/expired
#
# LocalStack needs Python 3.13, although its package metadata allows earlier versions.

default_port=4577
inputs=("$here"/engines/localstack/* "$here"/engines/dynamodb/* "$here"/process-executor/*.toml
  "$here"/process-executor/process_executor/*.py)

prerequisites() {
  find_python 3.13 >/dev/null
  need java "Java 17"
}

# LocalStack looks for its helpers in lib/NAME/VERSION, and downloads a helper that is not there. The executor is built
# from a copy, because the build adds files to the source folder.
install() {
  local dynamodb java
  dynamodb=$("$here/engines.sh" install dynamodb)
  java=$(readlink -f "$(command -v java)")
  mkdir -p "$home/lib/java" "$home/lib/dynamodb-local"
  ln -s "${java%/bin/java}" "$home/lib/java/21"
  ln -s "$dynamodb" "$home/lib/dynamodb-local/2"
  python_env "$(find_python 3.13)"
  cp -R "$here/process-executor" "$home/process-executor"
  "$home/venv/bin/python" -m pip install -q --no-deps --no-build-isolation "$home/process-executor"
}

# With FILESYSTEM_ROOT LocalStack does not use /var/lib and /usr/lib. OVERRIDE_IN_DOCKER=0 is needed for the same reason
# if CI runs in a container. GATEWAY_SERVER is our server: LocalStack's own server listens on all interfaces and ignores
# GATEWAY_LISTEN. With DNS_ADDRESS, DISABLE_EVENTS and SKIP_SSL_CERT_DOWNLOAD LocalStack makes no calls to the internet.
launch() {
  mkdir -p "$run/root/usr/lib"
  ln -s "$home/lib" "$run/root/usr/lib/localstack"
  environment=(
    FILESYSTEM_ROOT="$run/root" OVERRIDE_IN_DOCKER=0
    GATEWAY_SERVER=loopback GATEWAY_LISTEN="127.0.0.1:$port" LOCALSTACK_HOST="localhost:$port"
    DNS_ADDRESS=0 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 EAGER_SERVICE_LOADING=0
    PROVIDER_OVERRIDE_DYNAMODB=v2 PROVIDER_OVERRIDE_DYNAMODBSTREAMS=v2 DYNAMODB_IN_MEMORY=1
    LAMBDA_RUNTIME_EXECUTOR=process
  )
  command=("$home/venv/bin/python" -m localstack.runtime.main)
}

answers() { [ "$(http_status /_localstack/health)" = 200 ]; }
