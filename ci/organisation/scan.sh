#!/usr/bin/env bash
# Scans the repositories in BATCH, one after the other, with all of their history, and writes a report of each to the folder
# REPORTS. SERVER and ORGANISATION say where they are; GH_TOKEN may be what reads them. One that cannot be cloned makes an
# incomplete report, so that the whole is incomplete. (No report begins with a dot, though a repository may be called .github.)
set -euo pipefail
mkdir -p "$REPORTS"
reports=$(cd "$REPORTS" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=credential.helper
# Git asks this for the token, so that it is in no address and no list of processes.
export GIT_CONFIG_VALUE_0='!f() { echo username=x-access-token; echo "password=$GH_TOKEN"; }; f'
for name in $BATCH; do
  echo "== $name"
  clone="$work/$name.git"
  # A clone that failed leaves a folder that is no repository: that is told as incomplete.
  git clone --quiet --mirror -- "$SERVER/$ORGANISATION/$name" "$clone" || { rm -rf "$clone"; mkdir -p "$clone"; }
  code=0
  if [ -e "$clone/HEAD" ]; then
    GITHUB_WORKSPACE=$clone GITHUB_SERVER_URL=$SERVER GITHUB_REPOSITORY="$ORGANISATION/$name" \
      sf-scan --history --no-config --report "json=$reports/repository-$name.json" "$clone" || code=$?
  else
    (cd "$work" && sf-scan --no-config --report "json=$reports/repository-$name.json" "$name.git/could-not-be-cloned") || code=$?
  fi
  if [ ! -s "$reports/repository-$name.json" ] || [ "$code" -gt 2 ]; then
    echo "no report of $name could be made" >&2
    exit 2
  fi
  rm -rf "$clone"
done
