#!/bin/sh
# Makes the bucket for large values, and the users that worker, codec server and sweep come as: each
# may do what its file in docker/s3 says. Safe to run again; passwords that have changed are renewed.
# Reads S3_ENDPOINT, BUCKET, S3_ROOT_PASSWORD, S3_WORKER_PASSWORD, S3_READER_PASSWORD and
# S3_SWEEP_PASSWORD. The image has mc and a shell, and nothing else to rely on.
set -eu

export MC_CONFIG_DIR=/tmp/mc
mc alias set store "$S3_ENDPOINT" flowrunner "$S3_ROOT_PASSWORD"
mc mb --ignore-existing "store/$BUCKET"

let_in() {
    name=$1
    password=$2
    mc admin policy create store "may-$name" "/docker/s3/$name.json"
    mc admin user add store "$name" "$password"
    case $(mc admin user info store "$name") in
        *"may-$name"*) ;; # attaching it once more is an error
        *) mc admin policy attach store "may-$name" --user "$name" ;;
    esac
}

let_in worker "$S3_WORKER_PASSWORD"
let_in reader "$S3_READER_PASSWORD"
let_in sweep "$S3_SWEEP_PASSWORD"
