-- name: fail_run
UPDATE rrcm.run
   SET state = 'failed',
       error = $2,
       finished_at = now()
 WHERE run_id = $1
   AND finished_at IS NULL
