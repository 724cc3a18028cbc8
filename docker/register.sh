#!/bin/sh
# Makes the namespace and the search attributes Flowrunner writes. Safe to run again.
# Reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, as the Temporal CLI does.
set -eu

namespace=${TEMPORAL_NAMESPACE:-default}
retention=${RETENTION:-7d}

temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$namespace" --retention "$retention"

# A namespace made a moment ago is not known everywhere yet.
attempts=0
until temporal operator search-attribute list --namespace "$namespace" >/dev/null 2>&1; do
    attempts=$((attempts + 1))
    if [ "$attempts" -ge 60 ]; then
        echo "namespace $namespace did not become usable in a minute" >&2
        exit 1
    fi
    sleep 1
done

register() {
    temporal operator search-attribute list --namespace "$namespace" | grep -qw "$1" ||
        temporal operator search-attribute create --namespace "$namespace" --name "$1" --type "$2"
}

register FlowName Keyword
register FlowVersion Keyword
register FlowStatus Keyword
register FlowLabels KeywordList
