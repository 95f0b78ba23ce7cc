-- name: latest_metrics
-- The newest value of each metric of a run.
SELECT DISTINCT ON (name)
       name,
       step,
       value
  FROM rrcm.metric
 WHERE run_id = $1
 ORDER BY name, step DESC
