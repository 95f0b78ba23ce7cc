-- name: delete_runs
DELETE FROM rrcm.run
 WHERE run_id = ANY ($1::bigint[])
RETURNING run_id
