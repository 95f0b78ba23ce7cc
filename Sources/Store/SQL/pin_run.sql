-- name: pin_run
-- The first worker of a run that names no numerics id gives it its own. Returns the ids that may compute the run. What
-- the worker computes is noted, so that runs without a live worker of their id can be told.
WITH noted AS (
  UPDATE rrcm.worker
     SET numerics_ids = array_append(numerics_ids, $2::text)
   WHERE worker_id = $3
     AND NOT numerics_ids @> ARRAY[$2::text]
)
UPDATE rrcm.run
   SET numerics_ids = CASE WHEN numerics_ids = '{}' THEN ARRAY[$2::text] ELSE numerics_ids END
 WHERE run_id = $1
RETURNING numerics_ids
