#!/usr/bin/env bash
# Starts and stops the emulators and tools that stand in for AWS on a laptop and in CI, without Docker.
#
#   engines.sh start ENGINE      install it if needed, start it, wait for it, print its endpoint and nothing else
#   engines.sh stop [ENGINE]     stop it, or everything that was started; fine when nothing runs
#   engines.sh status [ENGINE]   print a line for each that runs; exit 1 if none does
#   engines.sh install ENGINE    only install it and print its folder, for a CI cache
#   engines.sh tool NAME         install what is needed and print the path of sam, cfn-lint or rie
#
# ENGINE is dynamodb (port 8021), ministack (4566), localstack (4577) or, to install only, sam. What each is good for is
# said in engines/ENGINE/engine.sh. Starting what already runs prints its endpoint again. Every start begins with empty state.
#
# APITOKEN_DYNAMODB_PORT, APITOKEN_MINISTACK_PORT and APITOKEN_LOCALSTACK_PORT choose another port; engines on different
# ports run side by side and do not know of each other. APITOKEN_ENGINES is the cache folder (.engines at the top of the
# repository), APITOKEN_ENGINES_WAIT how many seconds a start may take (60).
#
# An engine listens on 127.0.0.1 only and gets none of the caller's environment but PATH, so that no real AWS credential
# or profile reaches it or the functions it runs. Its HOME is its folder CACHE/run/ENGINE-PORT, by which `stop` finds
# every process that it started, even those that outlived it. Its log stays there until the next start.
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
    *) die "usage: ${0##*/} start|install ENGINE, stop|status [ENGINE], tool sam|cfn-lint|rie; ENGINE is one of" \
      "$(cd "$here/engines" && echo */engine.sh | sed 's,/engine.sh,,g')" ;;
  esac
}

say() { printf 'engines: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# load takes over an engine's definition. Each engines/ENGINE/engine.sh gives `inputs`, the files that its installation depends
# on, the functions prerequisites and install and, if it is a server, default_port and the functions launch, which fills
# `command` and `environment`, and answers, which says whether the server is up.
load() {
  engine=$1
  [[ $engine =~ ^[a-z]+$ && -f $here/engines/$engine/engine.sh ]] || die "no engine is called '$engine'"
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

# lock keeps two callers from installing or starting the same engine at once; the second finds it done.
lock() {
  exec 9>"$cache/$engine.lock"
  flock -w 900 9 || die "another process has held $cache/$engine.lock for 15 minutes"
}

# install_once installs unless the folder holds exactly what is wanted, and stops what still runs from a former state of
# it. The stamp is written last, so that an interrupted installation starts again, and it names the folder, since a
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
  # Not as a condition of `if`: inside one the shell ignores set -e, and a failed step would go unnoticed.
  set +e
  (set -e; exec 9>&-; install) >"$home/install.log" 2>&1
  status=$?
  set -e
  [ $status = 0 ] || die_with_log "$home/install.log" "installing $engine failed"
  echo "$stamp" >"$home/stamp"
}

start() {
  [ -n "$port" ] || die "$engine is no server; see: ${0##*/} tool"
  install_once
  if ! running "$run"; then
    stop_run "$run"
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null &&
      die "port $port is taken by something else; choose another with APITOKEN_${engine^^}_PORT"
    spawn
    await
  fi
  echo "$endpoint"
}

# spawn starts the engine without the lock and with little of our environment, and in a session of its own, so that
# Ctrl-C in the terminal does not end it. It has its HOME from the first moment, so that stop never misses it.
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
    kill -0 "$(cat "$run/pid")" 2>/dev/null || die_with_log "$run/log" "$engine ended while starting"
    if [ $SECONDS -ge $deadline ]; then
      stop_run "$run"
      die_with_log "$run/log" "$engine did not answer on port $port in time"
    fi
    sleep 0.1
  done
}

# running tells whether the process in DIR/pid lives and is still that engine, not a stranger who got the number after
# it.
running() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && processes "$1" | grep -qx "$pid"
}

# processes prints the living processes whose HOME is that of the engine in DIR: itself and what it started. Sessions
# and process groups would not do, since LocalStack gives its children others.
processes() {
  grep -lsxzF "HOME=$1/home" /proc/[0-9]*/environ | grep -oE '[0-9]+' || true
}

# stop_run asks the engine to end, and after 20 seconds, or when it has left processes behind, ends what is left.
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
    # shellcheck disable=SC2086 # one argument for each process is what we want
    kill -KILL $left 2>/dev/null || true
    sleep 0.05
  done
  rm -f "$dir/pid"
}

status_run() {
  local name=${1##*/}
  ! running "$1" || echo "${name%-*} http://127.0.0.1:${name##*-} pid $(cat "$1/pid")"
}

# each_run calls a function with the folder of each engine that was started, or of those whose name begins so.
each_run() {
  local pid
  for pid in "$cache/run/${2:-}"*/pid; do
    [ ! -e "$pid" ] || "$1" "$(cd "${pid%/pid}" && pwd -P)"
  done
}

tool() {
  case $1 in sam | cfn-lint | rie) ;; *) die "no tool is called '$1'" ;; esac
  load sam
  install_once
  echo "$home/bin/$1"
}

# http_status prints the status code of a GET to the engine's port, nothing if nobody answers within two seconds.
http_status() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$1" >&3
    read -r -t 2 _ status _ <&3
    echo "$status"
  ) 2>/dev/null || true
}

need() { command -v "$1" >/dev/null || die "missing prerequisite: $1 ($2)"; }

# find_python prints the first Python of the given versions, on PATH or in pyenv, that can make environments. It is
# tried and not only looked up, since pyenv puts names on PATH whose version is switched off, and Debian keeps ensurepip
# in a package of its own.
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

# python_env makes the engine's environment. The requirements list every package, so that pip resolves nothing itself.
python_env() {
  "$1" -m venv "$home/venv"
  "$home/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r "$2"
}

die_with_log() {
  say "$2; the end of $1:"
  tail -n 25 "$1" >&2
  exit 1
}

main "$@"
