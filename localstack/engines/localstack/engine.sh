# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# LocalStack 4.14.0 (the open edition, no account) as a plain process: for retries of streams and event sources, partial
# batches and dead letters. People with Docker can take compose.yaml instead.
#
# Functions run by way of localstack/process-executor, since LocalStack itself only knows Docker. Its DynamoDB is the DynamoDB
# Local of the dynamodb engine. It does not enforce Lambda authorizers (a bad token passes), has no HTTP APIs, and
# deletes expired items only when told: curl -X DELETE ENDPOINT/_aws/dynamodb/expired
#
# Python 3.13 is needed in truth, whatever the package's metadata says.

default_port=4577
inputs=("$here"/engines/localstack/* "$here"/engines/dynamodb/* "$here"/process-executor/*.toml
  "$here"/process-executor/process_executor/*.py)

prerequisites() {
  find_python 3.13 >/dev/null
  need java "Java 17"
}

# LocalStack looks for its helpers in lib/NAME/VERSION, and downloads what it does not find there. The executor is built
# from a copy, because building leaves files beside the sources.
install() {
  local dynamodb java
  dynamodb=$("$here/engines.sh" install dynamodb)
  java=$(readlink -f "$(command -v java)")
  mkdir -p "$home/lib/java" "$home/lib/dynamodb-local"
  ln -s "${java%/bin/java}" "$home/lib/java/21"
  ln -s "$dynamodb" "$home/lib/dynamodb-local/2"
  python_env "$(find_python 3.13)" "$here/engines/localstack/requirements.txt"
  cp -R "$here/process-executor" "$home/process-executor"
  "$home/venv/bin/python" -m pip install -q --no-deps --no-build-isolation "$home/process-executor"
}

# FILESYSTEM_ROOT keeps LocalStack out of /var/lib and /usr/lib; without OVERRIDE_IN_DOCKER it would go there after all
# when CI itself runs in a container. GATEWAY_SERVER is ours, since LocalStack's listens on every interface whatever
# GATEWAY_LISTEN says. The switches from DNS_ADDRESS to SKIP_SSL_CERT_DOWNLOAD keep it from calling out.
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
