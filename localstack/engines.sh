#!/usr/bin/env bash
# Installs, starts and stops the emulators of AWS, Keycloak, and the tools for the template, on a laptop and in CI, without Docker.
#
#   engines.sh start ENGINE      install the engine if needed, start it, wait until it answers; print only its endpoint
#   engines.sh stop [ENGINE]     stop one engine, or all; no error if none runs
#   engines.sh status [ENGINE]   print one line for each engine that runs; exit 1 if none runs
#   engines.sh install ENGINE    only install the engine and print its folder, for a CI cache
#   engines.sh tool NAME         install a tool if needed and print its path; NAME is sam, cfn-lint, rie,
#                                qq, vastpy-cli, nginx, caddy or traefik
#
# ENGINE is dynamodb (port 8021), ministack (4566), localstack (4577) or keycloak (8577), and for install also sam, generators,
# qumulo, vast, oauth, proxies or browser. The purpose of each is in engines/ENGINE/engine.sh. A second start prints the endpoint of
# the running engine.
# After a stop, a start has no old state.
#
# APITOKEN_DYNAMODB_PORT, APITOKEN_MINISTACK_PORT, APITOKEN_LOCALSTACK_PORT and APITOKEN_KEYCLOAK_PORT select other ports. Engines on different
# ports are independent. APITOKEN_ENGINES is the cache folder; the default is .engines at the top of the repository.
# APITOKEN_ENGINES_WAIT is the maximum time of a start in seconds; the default is 60, for keycloak 180.
#
# An engine listens only on 127.0.0.1. Of the caller's environment it gets only PATH, so that no real AWS credential or
# profile reaches the engine or the functions that it runs. Its HOME is CACHE/run/ENGINE-PORT/home. By this HOME `stop`
# finds all processes that the engine started, also those that outlived it. The log CACHE/run/ENGINE-PORT/log is kept
# until the next start.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${APITOKEN_ENGINES:-${here%/*}/.engines}

main() {
  case "${1:-} $#" in
    "start 2") load "$2"; start ;;
    "stop 1") each_run stop_run ;;
    "stop 2") load "$2"; stop_run "$run" ;;
    "status 1") each_run status_run | grep . ;;
    "status 2") load "$2"; status_run "$run" | grep . ;;
    "install 2") load "$2"; install_once; echo "$home" ;;
    "tool 2") tool "$2" ;;
    *) die "usage: ${0##*/} start|install ENGINE, stop|status [ENGINE], tool sam|cfn-lint|rie|qq|vastpy-cli|nginx|caddy|traefik; ENGINE is one of" \
      "$(cd "$here/engines" && echo */engine.sh | sed 's,/engine.sh,,g')" ;;
  esac
}

say() { printf 'engines: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# load reads the definition of an engine. Each engines/ENGINE/engine.sh defines `inputs` (the files that the
# installation depends on) and the functions prerequisites and install. A server also defines default_port and two
# functions: launch sets `command` and `environment`, answers reports whether the server is ready.
load() {
  engine=$1
  [[ $engine =~ ^[a-z]+$ && -f $here/engines/$engine/engine.sh ]] || die "engine '$engine' is unknown"
  mkdir -p "$cache/run"
  cache=$(cd "$cache" && pwd -P)
  [ -e "$cache/.gitignore" ] || echo '*' >"$cache/.gitignore"
  home=$cache/$engine default_port='' inputs=() environment=() command=()
  # shellcheck source=/dev/null
  . "$here/engines/$engine/engine.sh"
  local chosen=APITOKEN_${engine^^}_PORT
  port=${!chosen:-$default_port}
  endpoint=http://127.0.0.1:$port
  run=$cache/run/$engine-$port
}

# lock lets only one process install or start an engine. The next process waits, and then finds the engine ready.
lock() {
  exec 9>"$cache/$engine.lock"
  flock -w 900 9 || die "another process has locked $cache/$engine.lock for 15 minutes"
}

# install_once installs the engine if its folder is not up to date. First it stops all runs of the old installation. The
# stamp is written last, so an interrupted installation is repeated. The stamp depends on the folder's name, because a
# Python environment cannot be moved.
install_once() {
  need flock "package util-linux"
  lock
  local stamp status
  stamp=$(cat "${inputs[@]}" <(echo "$home") | cksum)
  [ "$(cat "$home/stamp" 2>/dev/null)" != "$stamp" ] || return 0
  prerequisites
  each_run stop_run "$engine-"
  say "installing $engine into $home"
  rm -rf "$home"
  mkdir -p "$home"
  # Do not use this subshell as the condition of an `if`: there the shell ignores set -e, and a failed step would not be
  # noticed.
  set +e
  (set -e; exec 9>&-; install) >"$home/install.log" 2>&1
  status=$?
  set -e
  [ $status = 0 ] || die_with_log "$home/install.log" "installing $engine failed"
  echo "$stamp" >"$home/stamp"
}

start() {
  [ -n "$port" ] || die "$engine is not a server; use: ${0##*/} tool NAME"
  install_once
  if ! running "$run"; then
    stop_run "$run"
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null &&
      die "port $port is in use by another program; set APITOKEN_${engine^^}_PORT to a free port"
    spawn
    await
  fi
  echo "$endpoint"
}

# spawn starts the engine in a session of its own, so that Ctrl-C in the terminal does not end it. The engine does not
# inherit the lock. HOME is set before setsid and env run too, so that stop finds the process at any moment.
spawn() {
  rm -rf "$run"
  mkdir -p "$run/home" "$run/tmp"
  launch
  HOME=$run/home setsid env -i PATH="$PATH" HOME="$run/home" TMPDIR="$run/tmp" "${environment[@]}" "${command[@]}" \
    >"$run/log" 2>&1 </dev/null 9>&- &
  echo $! >"$run/pid"
}

await() {
  local deadline=$((SECONDS + ${APITOKEN_ENGINES_WAIT:-60}))
  until answers; do
    kill -0 "$(cat "$run/pid")" 2>/dev/null || die_with_log "$run/log" "$engine ended during its start"
    if [ $SECONDS -ge $deadline ]; then
      stop_run "$run"
      die_with_log "$run/log" "$engine did not answer on port $port in time"
    fi
    sleep 0.1
  done
}

# running reports whether the process in DIR/pid lives and is the engine. After the engine's end another program may
# have the same process id.
running() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && processes "$1" | grep -qx "$pid"
}

# processes prints the ids of the living processes with the HOME of the engine in DIR: the engine and its children.
# Sessions and process groups are not enough, because LocalStack starts its children in new ones.
processes() {
  grep -lsxzF "HOME=$1/home" /proc/[0-9]*/environ | grep -oE '[0-9]+' || true
}

# stop_run asks the engine to end. After at most 20 seconds it kills all processes that are left.
stop_run() {
  local dir=$1 pid left
  pid=$(cat "$dir/pid" 2>/dev/null) || return 0
  if running "$dir"; then
    kill -TERM "$pid"
    for ((left = 200; left > 0; left--)); do
      running "$dir" || break
      sleep 0.1
    done
  fi
  while left=$(processes "$dir") && [ -n "$left" ]; do
    # shellcheck disable=SC2086 # one argument for each process
    kill -KILL $left 2>/dev/null || true
    sleep 0.05
  done
  rm -f "$dir/pid"
}

status_run() {
  local name=${1##*/}
  ! running "$1" || echo "${name%-*} http://127.0.0.1:${name##*-} pid $(cat "$1/pid")"
}

# each_run calls a function with the folder of each started engine. A second argument is a prefix: then only folders
# with this prefix count.
each_run() {
  local pid
  for pid in "$cache/run/${2:-}"*/pid; do
    [ ! -e "$pid" ] || "$1" "$(cd "${pid%/pid}" && pwd -P)"
  done
}

# tool prints the path without links, so that the Python beside a Python tool finds the tool's packages.
tool() {
  case $1 in
    sam | cfn-lint | rie) load sam ;;
    qq) load qumulo ;;
    vastpy-cli) load vast ;;
    nginx | caddy | traefik) load proxies ;;
    *) die "tool '$1' is unknown; allowed: sam, cfn-lint, rie, qq, vastpy-cli, nginx, caddy, traefik" ;;
  esac
  install_once
  echo "$(cd "$home/bin" && pwd -P)/$1"
}

# http_status prints the status code of a GET to the engine's port, or nothing after two seconds without an answer.
http_status() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$1" >&3
    read -r -t 2 _ status _ <&3
    echo "$status"
  ) 2>/dev/null || true
}

need() { command -v "$1" >/dev/null || die "missing prerequisite: $1 ($2)"; }

# find_python prints the first Python of the given versions, on PATH or in pyenv, that can create environments. It runs
# each Python to find this out, because pyenv puts versions on PATH that are switched off, and Debian has ensurepip in a
# separate package.
find_python() {
  local version python
  for version; do
    for python in "python$version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python; do
      if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        return
      fi
    done
  done
  local versions=$*
  die "missing prerequisite: Python ${versions// / or } with its venv module (Debian: package python3-venv)," \
    "on PATH or in pyenv"
}

# python_env creates the engine's Python environment. The lock file lists every package with its hashes, so pip resolves
# nothing and refuses a changed file. pip does not check the tools with which it builds packages that have no wheel.
python_env() {
  "$1" -m venv "$home/venv"
  "$home/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes \
    -r "$here/engines/$engine/requirements.lock"
}

die_with_log() {
  say "$2; the end of $1:"
  tail -n 25 "$1" >&2
  exit 1
}

main "$@"
