#!/bin/sh
# Runs the supervisor, given as arguments, and runs it again when it is killed. Kept this small so
# that nothing in it can fail; it holds no memory to speak of.
trap '' HUP
trap '[ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM INT
quick=0
while :; do
    began=$(date +%s)
    "$@" &
    child=$!
    # A signal interrupts `wait`, so ask again until the supervisor is really gone.
    wait "$child"
    code=$?
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        code=$?
    done
    child=
    # 0: it was asked to stop. 3: another one runs, or it cannot run at all.
    if [ "$code" -eq 0 ] || [ "$code" -eq 3 ]; then
        exit "$code"
    fi
    if [ $(($(date +%s) - began)) -lt 5 ]; then quick=$((quick + 1)); else quick=0; fi
    [ "$quick" -ge 8 ] && exit 1
    [ "$quick" -ge 2 ] && sleep 1
done
