-- name: retry_trials
-- Opens failed trials once more, stopped ones too when $2 says so. Runs of theirs that are done stay; what failed is run
-- anew, and the failed runs stay visible.
WITH again AS (
  UPDATE rrcm.trial
     SET state = 'open',
         attempt = attempt + 1,
         error = NULL,
         finished_at = NULL
   WHERE sweep_id = $1
     AND (state = 'failed' OR (state = 'stopped' AND $2))
  RETURNING sweep_id, number
), opened AS (
  UPDATE rrcm.sweep
     SET state = 'running',
         finished_at = NULL
   WHERE sweep_id IN (SELECT sweep_id FROM again)
)
SELECT number FROM again ORDER BY number
