# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# Generators of clients from an OpenAPI document: openapi-generator 7.23.0 (openapi-generator-cli.jar),
# openapi-python-client 0.29.1 (venv/bin), and openapi-typescript 7.13.0 with openapi-fetch and the compiler
# (node_modules). The environment venv also has what the Python clients import. The generator for Go is a tool of the
# module localstack/clients/oapi_codegen.

inputs=("$here"/engines/generators/*)

prerequisites() {
  find_python 3.11 3.12 3.13 >/dev/null
  need java "Java 17"
  need mvn "Maven 3"
  need node "Node.js 20"
  need npm "Node.js 20"
  need sha256sum "package coreutils"
}

# npm takes only the files whose hashes are in the lock file, and runs no code of theirs.
install() {
  python_env "$(find_python 3.11 3.12 3.13)"
  mvn -B -ntp -q -C org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact=org.openapitools:openapi-generator-cli:7.23.0 -Dmdep.stripVersion=true -DoutputDirectory="$home"
  echo "cb087e40001e31eb08ef6140dd5de10938dbeb89016a1fe0481eaa25cd569026  $home/openapi-generator-cli.jar" | sha256sum -c
  cp "$here"/engines/generators/package*.json "$home"
  npm --prefix "$home" ci --ignore-scripts --no-audit --no-fund
}
