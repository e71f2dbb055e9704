# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# Two libraries of OAuth as published: Authlib 1.9.10 for Python (venv/bin/python), and openid-client 6.9.0 for Node.js
# with oauth4webapi 3.8.8 (node_modules). The tests let them ask the service.

inputs=("$here"/engines/oauth/*)

prerequisites() {
  find_python 3.11 3.12 3.13 >/dev/null
  need node "Node.js 20"
  need npm "Node.js 20"
}

# npm takes only the files whose hashes are in the lock file, and runs no code of theirs.
install() {
  python_env "$(find_python 3.11 3.12 3.13)"
  cp "$here"/engines/oauth/package*.json "$home"
  npm --prefix "$home" ci --ignore-scripts --no-audit --no-fund
}
