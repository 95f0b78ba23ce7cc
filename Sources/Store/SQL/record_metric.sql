-- name: record_metric
-- A metric under the fence: refused (no row) once the job has a new holder. A step that is run again after a resume
-- measures the same value.
INSERT INTO rrcm.metric (run_id, step, name, value)
SELECT j.run_id, $3, $4, $5
  FROM rrcm.job j
 WHERE j.job_id = $1
   AND j.run_lease = $2
   AND j.state = 'running'
ON CONFLICT ON CONSTRAINT metric_pkey DO UPDATE
   SET value = excluded.value,
       recorded_at = now()
RETURNING run_id
