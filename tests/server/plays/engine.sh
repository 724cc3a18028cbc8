#!/bin/sh
# As much of a container engine as the plays need: runs the command here, with the variables.
[ "$1" = run ] || exit 0
until [ "$1" = localhost/play:1 ]; do
    case $1 in
        --env-file=*) while IFS= read -r line; do export "${line?}"; done <"${1#*=}" ;;
    esac
    shift
done
shift
exec "$@"
