-- name: unfinished_trial_runs
SELECT r.run_id
  FROM rrcm.trial t
  JOIN rrcm.trial_run tr USING (trial_id)
  JOIN rrcm.run r USING (run_id)
 WHERE t.sweep_id = $1
   AND r.finished_at IS NULL
 ORDER BY r.run_id
