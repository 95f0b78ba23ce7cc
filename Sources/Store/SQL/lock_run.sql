-- name: lock_run
-- Before items of a run are opened anew: the run goes first, as with lock_ending_runs.
SELECT run_id
  FROM rrcm.run
 WHERE run_id = $1
   FOR NO KEY UPDATE
