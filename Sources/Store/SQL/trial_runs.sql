-- name: trial_runs
-- Runs of a sweep's open trials, oldest attempt first.
SELECT u.trial_id,
       u.step::text AS step,
       u.attempt,
       u.run_id,
       u.state::text AS state,
       u.error,
       u.checkpoint_digest
  FROM rrcm.sweep_run u
  JOIN rrcm.trial t USING (trial_id)
 WHERE t.sweep_id = $1
   AND t.state = 'open'
 ORDER BY u.trial_id, u.attempt
