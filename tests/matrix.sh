#!/usr/bin/env bash
# Run test folders on every supported Python that this machine has, and print a table: `make matrix`.
#
#   VERSIONS="3.12 3.13" tests/matrix.sh tests/core tests/orders
#
# An interpreter is looked for on PATH and among pyenv's. Each version has a virtual environment of its own in
# build/matrix, which is made when it is missing or older than what it is made from.
set -u
cd "$(dirname "$0")/.." || exit 1

read -r -a versions <<< "${VERSIONS:-3.11 3.12 3.13}"
if [ $# -eq 0 ]; then
  set -- tests/core tests/orders
fi

works() {  # a shim of pyenv is on PATH even where the version behind it is not active
  [ -x "$1" ] && "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" 2> /dev/null
}

interpreter() {
  local candidate
  while IFS= read -r candidate; do
    if works "$candidate" "$1"; then
      echo "$candidate"
      return
    fi
  done < <(type -aP "python$1"; printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python | sort -rV)
  return 1
}

environment() {  # version, interpreter, folder
  if [ -e "$3/.ready" ] && [ ! pyproject.toml -nt "$3/.ready" ] && [ ! constraints.txt -nt "$3/.ready" ]; then
    return
  fi
  "$2" -m venv --clear "$3" &&
    "$3/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]' &&
    touch "$3/.ready"
}

status=0
ran=0
table=$(printf '%-8s %-10s %s' Python exact result)
for version in "${versions[@]}"; do
  if ! python=$(interpreter "$version"); then
    table+=$'\n'$(printf '%-8s %-10s %s' "$version" - 'not on this machine')
    continue
  fi
  exact=$("$python" -c 'import platform; print(platform.python_version())')
  folder=build/matrix/$version
  ran=$((ran + 1))
  echo "== Python $exact"
  if environment "$version" "$python" "$folder"; then
    log=$folder/tests.log
    "$folder/bin/python" -m pytest -q -p no:cacheprovider "$@" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    result=$(grep -E '^(=+ )?[0-9]+ (passed|failed|error|skipped)|^no tests ran' "$log" | tail -n 1 | tr -d =)
    result=${result:-"pytest ended with $code"}
  else
    code=1
    result='its environment could not be made'
  fi
  [ "$code" -eq 0 ] || status=1
  table+=$'\n'$(printf '%-8s %-10s %s' "$version" "$exact" "$result")
done
printf '\n%s\n' "$table"
[ "$ran" -gt 0 ] || status=1
exit "$status"
