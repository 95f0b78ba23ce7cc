-- name: start_run
UPDATE rrcm.run
   SET state = 'running',
       started_at = now(),
       checkpoint_digest = coalesce(checkpoint_digest, $2)
 WHERE run_id = $1
   AND state = 'submitted'
