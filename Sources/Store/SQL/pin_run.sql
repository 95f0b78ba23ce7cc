-- name: pin_run
-- The first worker of a run that names no numerics id gives it its own. Returns the ids that may compute the run.
UPDATE rrcm.run
   SET numerics_ids = CASE WHEN numerics_ids = '{}' THEN ARRAY[$2::text] ELSE numerics_ids END
 WHERE run_id = $1
RETURNING numerics_ids
