-- name: sweep_runs
-- Every run of a sweep's trials, failed attempts included.
SELECT trial,
       step::text AS step,
       attempt,
       run_id,
       run_name,
       state::text AS state,
       error,
       checkpoint_digest
  FROM rrcm.sweep_run
 WHERE sweep_id = $1
 ORDER BY trial, sweep_run.attempt, sweep_run.step
