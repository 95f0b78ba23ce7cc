-- name: stop_sweep
-- Stops a running sweep and its open trials. Their runs are cancelled next, in the same transaction.
WITH stopped AS (
  UPDATE rrcm.sweep
     SET state = 'stopped',
         finished_at = now()
   WHERE sweep_id = $1
     AND state = 'running'
  RETURNING sweep_id
)
UPDATE rrcm.trial t
   SET state = 'stopped',
       error = 'the sweep was stopped',
       finished_at = now()
  FROM stopped
 WHERE t.sweep_id = stopped.sweep_id
   AND t.state = 'open'
RETURNING t.trial_id
