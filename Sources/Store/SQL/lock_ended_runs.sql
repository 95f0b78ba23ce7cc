-- name: lock_ended_runs
-- Locks those of the given runs that have ended, so that none is tried again while it is deleted.
SELECT run_id
  FROM rrcm.run
 WHERE run_id = ANY ($1::bigint[])
   AND finished_at IS NOT NULL
 ORDER BY run_id
   FOR UPDATE
