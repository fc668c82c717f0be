#!/bin/bash
# Postgres runs this once, on an empty volume: one database and one user for Airflow, one for
# Kitwai's store; neither may read the other's.
set -euo pipefail
for name in airflow kitwai; do
    password=${name^^}_DB_PASSWORD
    psql --set ON_ERROR_STOP=1 --set name="$name" --set password="${!password}" \
        --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<-'SQL'
		CREATE ROLE :"name" LOGIN PASSWORD :'password';
		CREATE DATABASE :"name" OWNER :"name";
		REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
	SQL
done
