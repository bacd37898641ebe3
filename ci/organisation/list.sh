#!/usr/bin/env bash
# Lists the repositories of an organisation in at most 256 batches, as a matrix of GitHub Actions: {"batch": ["a b", "c d"]}.
# ORGANISATION names it; ARCHIVED and FORKS (true or false) say whether those are scanned as well. Needs gh with GH_TOKEN.
set -euo pipefail
names=$(gh api --paginate "orgs/$ORGANISATION/repos?per_page=100" \
  --jq '.[] | select((.archived | not) or env.ARCHIVED == "true") | select((.fork | not) or env.FORKS == "true") | .name')
if [ -z "$names" ]; then
  echo "no repository of $ORGANISATION can be seen with this token" >&2
  exit 2
fi
# A name of a repository has letters, digits, dots, dashes and underscores only.
printf '%s\n' "$names" | LC_ALL=C sort | awk '
  !/^[A-Za-z0-9._-]+$/ { exit 2 }
  { name[NR] = $0 }
  END {
    batches = NR < 256 ? NR : 256
    printf "{\"batch\":["
    for (at = 1; at <= batches; at++) {
      printf "%s\"", (at > 1 ? "," : "")
      for (one = at; one <= NR; one += batches) printf "%s%s", (one > at ? " " : ""), name[one]
      printf "\""
    }
    print "]}"
  }'
