-- name: other_runs
-- How many other runs certify some of the same images with the same checkpoint at one of the same noise levels.
SELECT count(DISTINCT other_run_id) AS runs
  FROM rrcm.similar_run
 WHERE run_id = $1
