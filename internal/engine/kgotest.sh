#!/usr/bin/env bash
# Runs franz-go's own group and transaction tests against a server.
#
#   kgotest.sh ADDRESS [RECORDS [PATTERN]]
#
# The tests are built from the franz-go in this module's requirements, in a directory that is removed at the end. They run the
# cases of the classic protocol and those of KIP-848; one that is skipped, because the server lacks something, is a failure.
set -euo pipefail

address=${1:?usage: kgotest.sh ADDRESS [RECORDS [PATTERN]]}
records=${2:-20000}
pattern=${3:-TestGroupETL|TestTxnEtl}

cd "$(dirname "$0")"
source=$(go list -m -f '{{.Dir}}' github.com/twmb/franz-go)
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

cp -r "$source/." "$work"
chmod -R u+w "$work"
cd "$work/pkg/kgo"
GOFLAGS=-mod=mod go test -c -o "$work/kgotest" .
KGO_SEEDS=$address KGO_TEST_RF=1 KGO_TEST_RECORDS=$records "$work/kgotest" -test.run "$pattern" -test.timeout 10m -test.v |
    tee "$work/log" | grep -E '^ *--- |^(ok|PASS|FAIL|panic)|_test.go:'
! grep -q -e '--- SKIP' "$work/log"
