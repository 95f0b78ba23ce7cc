-- name: retry_run
-- Opens a failed run again, and its training with a fresh count of attempts, from its newest snapshot. A run that was
-- refused before it was planned is submitted anew. Its failures stay on record.
WITH again AS (
  UPDATE rrcm.run
     SET state = CASE WHEN started_at IS NULL THEN 'submitted'::rrcm.run_state ELSE 'running' END,
         error = NULL,
         finished_at = NULL
   WHERE run_id = $1
     AND state = 'failed'
  RETURNING run_id
), jobs AS (
  UPDATE rrcm.job j
     SET state = 'queued',
         attempts = 0,
         error = NULL,
         finished_at = NULL
    FROM again
   WHERE j.run_id = again.run_id
     AND j.state = 'failed'
  RETURNING j.run_id
), forgiven AS (
  UPDATE rrcm.failed_attempt a
     SET retried_at = now()
    FROM jobs
   WHERE a.run_id = jobs.run_id
     AND a.retried_at IS NULL
)
SELECT run_id FROM again
