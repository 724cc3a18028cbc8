#!/bin/sh
# Makes or brings up to date Temporal's two databases. Safe to run again.
# Reads SQL_HOST, SQL_USER and SQL_PASSWORD.
set -eu

bring_up_to_date() {
    database=$1
    schema=/etc/temporal/schema/postgresql/v12/$2/versioned
    tool="temporal-sql-tool --plugin postgres12 --ep $SQL_HOST --port 5432 --user $SQL_USER --db $database"
    $tool create
    $tool setup-schema -v 0.0
    $tool update-schema -d "$schema"
}

bring_up_to_date temporal temporal
bring_up_to_date temporal_visibility visibility
