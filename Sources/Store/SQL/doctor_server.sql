-- name: doctor_server
-- What the server says of itself. Needs no schema of ours.
SELECT current_setting('server_version') AS version,
       pg_is_in_recovery() AS in_recovery,
       current_setting('transaction_read_only') = 'on' AS read_only,
       current_user::text AS role,
       current_database()::text AS database
